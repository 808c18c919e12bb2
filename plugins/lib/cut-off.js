'use strict';

// A deployment learns of the other clouds by its parameters. So a plain `sls deploy` would make a cloud among others one that is
// alone: it would go on, and neither hand over nor take over.

/**
 * Why a deployment would cut its cloud off from the others.
 * @param {object} service  The framework's, as it is to be deployed.
 * @param {() => Promise<string>} askOrder  SLUICE_ORDER of the functions that stand: "gcp,aws"; '' where none do. Called only
 *   where the answer matters.
 * @returns {Promise<string>} One line with the remedies; '' if nothing is lost, or on purpose.
 */
async function whyCutOff({ custom, provider }, askOrder) {
  if (provider.environment.SLUICE_PEERS || String(custom.alone) === 'true') return '';
  const { cloud } = custom;
  const order = (await askOrder()).split(',').map((name) => name.trim());
  const others = order.filter((name) => name && name !== cloud);
  if (!others.length) return '';
  const loss = `${cloud} would be cut off from ${others.join(', ')}, because "peers" is empty`;
  const together = `npx sls clouds deploy --only ${order.join(',')} --stage ${provider.stage}`;
  return `${loss}. Together: ${together}. On purpose: --param alone=true.`;
}

module.exports = { whyCutOff };
