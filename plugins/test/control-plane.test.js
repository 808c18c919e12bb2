'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const { once } = require('node:events');
const { test } = require('node:test');
const { ControlPlane, waitFor } = require('../lib/control-plane');

/**
 * A server that gives the answers in turn, each [status, JSON, headers] or 'cut' (the connection ends without an answer).
 * @returns {Promise<{plane: ControlPlane, asked: object[]}>}
 */
async function answering(t, answers) {
  const asked = [];
  const server = http.createServer((request, response) => {
    asked.push({ method: request.method, path: request.url, token: request.headers.authorization });
    const answer = answers[asked.length - 1];
    if (answer === 'cut') return request.socket.destroy();
    const [status, json, headers = {}] = answer;
    response.writeHead(status, headers).end(json === undefined ? '' : JSON.stringify(json));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  let tokenCount = 0;
  const plane = new ControlPlane({
    title: 'The cloud',
    getToken: async ({ fresh }) => `token-${fresh ? (tokenCount += 1) : tokenCount}`,
    readError: ({ error }) => error,
    remedy: ({ status }) => (status === 403 ? 'Ask for the right.' : ''),
    emulator: `http://127.0.0.1:${server.address().port}`,
    pauseMs: 1,
  });
  return { plane, asked };
}

const URL_OF_IT = 'https://host.example/v1/things/one';

test('an emulator is asked in place of the host, which its path then names', async (t) => {
  const { plane, asked } = await answering(t, [[200, { name: 'one' }]]);

  assert.deepEqual(await plane.ask('GET', URL_OF_IT), { name: 'one' });
  assert.deepEqual(asked, [{ method: 'GET', path: '/host.example/v1/things/one', token: 'Bearer token-0' }]);
});

test('an answer tells its status, headers and text beside its JSON, which may be a text alone', async (t) => {
  const { plane } = await answering(t, [[202, 'id-1', { location: 'there' }]]);

  const answer = await plane.ask('POST', URL_OF_IT);

  assert.deepEqual([String(answer), answer.answerStatus, answer.answerText], ['id-1', 202, '"id-1"']);
  assert.equal(answer.answerHeaders.get('location'), 'there');
});

test('an emulator elsewhere than on this machine would be sent tokens, and is refused', () => {
  assert.throws(() => new ControlPlane({ title: 'The cloud', emulator: 'http://10.0.0.1:80' }), /must be at 127\.0\.0\.1/);
});

test('a refusal is one line with the reason and the remedy', async (t) => {
  const { plane } = await answering(t, [[403, { error: { code: 'DENIED', message: 'you\n may not.' } }]]);

  await assert.rejects(plane.ask('PUT', URL_OF_IT, { json: {} }), {
    message: 'The cloud refused PUT things/one (403 DENIED): you may not. Ask for the right.',
    status: 403,
  });
});

test('what was not done because the cloud is busy is asked again, a create too', async (t) => {
  const { plane, asked } = await answering(t, [[429, {}, { 'retry-after': '0.01' }], [503, {}], [200, {}]]);

  await plane.ask('POST', URL_OF_IT, { json: {} });

  assert.equal(asked.length, 3);
});

test('what may have been done is asked again only where that is safe', async (t) => {
  const safe = await answering(t, ['cut', [502], [200, {}]]);
  const unsafe = await answering(t, ['cut']);

  await safe.plane.ask('PUT', URL_OF_IT, { json: {} });
  await assert.rejects(unsafe.plane.ask('POST', URL_OF_IT, { json: {} }), /^ControlPlaneError: The cloud does not answer at host\.example: /);
  assert.equal(safe.asked.length, 3);
  assert.equal(unsafe.asked.length, 1);
});

test('a token that has ended is replaced once', async (t) => {
  const ended = await answering(t, [[401, {}], [200, {}]]);
  const refused = await answering(t, [[401, {}], [401, { error: { code: 'NO', message: 'who?' } }]]);

  await ended.plane.ask('POST', URL_OF_IT, { json: {} });
  await assert.rejects(refused.plane.ask('GET', URL_OF_IT), /\(401 NO\): who\?/);
  assert.deepEqual(ended.asked.map(({ token }) => token), ['Bearer token-0', 'Bearer token-1']);
});

test('it is given up after four tries', async (t) => {
  const { plane, asked } = await answering(t, [[503], [503], [503], [503]]);

  await assert.rejects(plane.ask('GET', URL_OF_IT), /\(503\): no reason was given\./);
  assert.equal(asked.length, 4);
});

test('what is missing is an answer where it may be missing', async (t) => {
  const { plane } = await answering(t, [[404, {}], [404, {}]]);

  assert.equal(await plane.find(URL_OF_IT), null);
  await assert.rejects(plane.ask('GET', URL_OF_IT), { status: 404 });
});

test('waiting ends with what was waited for, or says what is not done', async () => {
  let count = 0;

  const found = await waitFor(async () => ((count += 1) < 3 ? undefined : 'done'), { what: 'It', forMs: 5_000, everyMs: 1 });

  assert.equal(found, 'done');
  await assert.rejects(waitFor(async () => undefined, { what: 'It', forMs: 5, everyMs: 1 }), /^ControlPlaneError: It is not done after 0 s/);
});
