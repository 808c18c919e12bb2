'use strict';

// Who may do what: policies of Google's resources. A policy has other people's entries as well; ours are made exactly what is
// declared, the others are left as they are. ("Policy", IAM API: read, modify and write, with the etag against others' writes.)

const { ControlPlaneError, waitFor } = require('../lib/control-plane');

const POLICY_VERSION = 3; // the one that has conditions
const TRY_COUNT = 5; // of a write that another one overtook
const ACCOUNT_KNOWN_WITHIN_MS = 120_000; // IAM is eventually consistent: a new account is unknown to policies for some seconds

/** @typedef {{role: string, member: string, condition?: {title: string, expression: string}}} Grant */

/** How each API reads and writes a policy; `url` is of the resource. */
const POLICY_OF = {
  bucket: (url) => ({
    get: ['GET', `${url}/iam?optionsRequestedPolicyVersion=${POLICY_VERSION}`],
    set: ['PUT', `${url}/iam`],
    wrap: (policy) => policy,
  }),
  account: (url) => ({ ...ordinary(url), get: ['POST', ordinary(url).get[1]] }),
  project: (url) => ({
    ...ordinary(url),
    get: ['POST', `${url}:getIamPolicy`, { options: { requestedPolicyVersion: POLICY_VERSION } }],
  }),
  ordinary,
};

function ordinary(url) {
  return {
    get: ['GET', `${url}:getIamPolicy?options.requestedPolicyVersion=${POLICY_VERSION}`],
    set: ['POST', `${url}:setIamPolicy`],
    wrap: (policy) => ({ policy }),
  };
}

/**
 * The rights on one thing.
 * @param {import('./google-api').GoogleApi} api
 * @param {object} of
 * @param {string} of.what  As in "rights on <what>".
 * @param {keyof POLICY_OF} of.kind
 * @param {() => string | undefined} of.url  Undefined while it is not made yet.
 * @param {() => Grant[]} of.grants  Known once the project's number is.
 * @param {string[]} of.ours  Members who may have nothing else here.
 * @param {boolean} [of.isShared]  It stays when the deployment goes, so that our entries must be taken out.
 * @param {() => Promise<void>} [of.prepare]  Before anything is given: makes accounts of Google's own that must exist.
 * @param {string} [of.ifMissing]  What to say where it does not exist.
 * @returns {import('../lib/converge').Resource}
 */
function rightsOn(api, { what, kind, url, grants, ours, isShared = false, prepare, ifMissing }) {
  const fetchPolicy = async () => {
    const [method, address, json] = POLICY_OF[kind](url()).get;
    return api.ask(method, address, { json, missing: null });
  };
  const write = async (wanted) => {
    if (!url()) throw new ControlPlaneError(`Rights on ${what} cannot be given: it does not stand.`);
    const policy = POLICY_OF[kind](url());
    await writePolicy(api, { policy, fetchPolicy, wanted, ours, what, ifMissing });
  };
  const read = async () => {
    const policy = url() ? await fetchPolicy().catch(nullIfDisabled) : null;
    return policy && isShared && !ourEntries(policy, ours).length ? null : policy;
  };
  const give = async () => {
    await prepare?.();
    await write(grants());
  };
  return {
    title: `rights on ${what}`,
    read,
    differences: (policy) => differences(policy, grants(), ours),
    create: give,
    update: give,
    ...(isShared ? { remove: () => write([]) } : {}),
  };
}

async function writePolicy(api, { policy, fetchPolicy, wanted, ours, what, ifMissing }) {
  const [method, address] = policy.set;
  for (let attempt = 1; ; attempt += 1) {
    const live = await fetchPolicy();
    if (live === null) throw new ControlPlaneError(ifMissing ?? `Rights on ${what} cannot be given: it does not stand.`);
    const json = policy.wrap({ ...withGrants(live, wanted, ours), version: POLICY_VERSION });
    try {
      const look = () => api.ask(method, address, { json }).catch(unlessAccountIsNew);
      return await waitFor(look, { what: `Giving rights on ${what}`, forMs: ACCOUNT_KNOWN_WITHIN_MS, everyMs: api.everyMs });
    } catch (error) {
      if (![409, 412].includes(error.status) || attempt === TRY_COUNT) throw error; // another write came first
    }
  }
}

function unlessAccountIsNew(error) {
  if (error.status !== 400 || !/does not exist/i.test(error.message)) throw error;
}

function nullIfDisabled(error) {
  if (error.code !== 'SERVICE_DISABLED') throw error;
  return null;
}

/** One text for each entry: what it is compared by. */
const keyOf = ({ role, member, condition }) => [role, member, condition?.expression ?? ''].join(' | ');

/** An account's name without what Google adds when it was deleted. */
const bare = (member) => member.replace(/^deleted:/, '').replace(/\?uid=.*$/, '');

/** @returns {Grant[]} */
function entriesOf({ bindings = [] }) {
  return bindings.flatMap(({ role, members = [], condition }) => members.map((member) => ({ role, member, condition })));
}

const ourEntries = (policy, ours) => entriesOf(policy).filter(({ member }) => ours.includes(bare(member)));

function differences(policy, grants, ours) {
  const live = entriesOf(policy).map(keyOf);
  const wanted = grants.map(keyOf);
  const short = (key) => key.split(' | ', 2).join(' for ').replace(/serviceAccount:|@\S+/g, '');
  const missing = wanted.filter((key) => !live.includes(key)).map((key) => `add ${short(key)}`);
  const superfluous = ourEntries(policy, ours).map(keyOf).filter((key) => !wanted.includes(key));
  return [...missing, ...superfluous.map((key) => `take ${short(key)}`)];
}

/** The policy with exactly these entries of ours. */
function withGrants(policy, grants, ours) {
  const bindings = (policy.bindings ?? [])
    .map((binding) => ({ ...binding, members: (binding.members ?? []).filter((member) => !ours.includes(bare(member))) }))
    .filter(({ members }) => members.length);
  for (const { role, member, condition } of grants) {
    const same = bindings.find((one) => one.role === role && one.condition?.expression === condition?.expression);
    if (same) same.members = [...same.members.filter((one) => one !== member), member];
    else bindings.push({ role, members: [member], ...(condition ? { condition } : {}) });
  }
  return { ...policy, bindings };
}

module.exports = { rightsOn, withGrants };
