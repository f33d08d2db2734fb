// The usual programs of the npm package `@anthropic-ai/sdk`: only base URL, key and model are those of Nexus.

import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { PICTURE, SEEN, SUM, apiKey, model, run, step, thrown, url } from './steps.mjs';

const client = new Anthropic({ baseURL: url, apiKey });
const user = (content) => [{ role: 'user', content }];
const asked = (content, more = {}) => ({ model, max_tokens: 500, messages: user(content), ...more });
const input_schema = { type: 'object', properties: { expression: { type: 'string' } }, required: ['expression'] };
const tools = [{ name: 'calculator', description: 'Computes.', input_schema }];

step('messages', async () => {
  const answer = await client.messages.create(asked('Hello'));
  assert.equal(answer.content[0].text, 'You said: Hello');
  assert.equal(answer.stop_reason, 'end_turn');
  assert.ok(answer.usage.input_tokens > 0);
});

step('messages streamed', async () => {
  let text = '';
  const stream = client.messages.stream(asked('Hello')).on('text', (piece) => (text += piece));
  const answer = await stream.finalMessage();
  assert.equal(text, 'You said: Hello');
  assert.equal(answer.content[0].text, text);
  assert.ok(answer.usage.output_tokens > 0);
});

step('tools', async () => {
  const first = await client.messages.stream(asked(SUM, { tools })).finalMessage();
  const call = first.content.find((block) => block.type === 'tool_use');
  assert.deepEqual(call.input, { expression: '12*12' });
  assert.equal(first.stop_reason, 'tool_use');
  const result = { type: 'tool_result', tool_use_id: call.id, content: '144' };
  const messages = [...user(SUM), { role: 'assistant', content: first.content }, ...user([result])];
  const second = await client.messages.create({ model, max_tokens: 500, messages, tools });
  assert.match(second.content[0].text, /calculator says 144/);
});

step('vision', async () => {
  const source = { type: 'base64', media_type: 'image/png', data: PICTURE };
  const answer = await client.messages.create(asked([{ type: 'image', source }, { type: 'text', text: 'Look' }]));
  assert.ok(answer.content[0].text.includes(SEEN));
});

step('tokens counted', async () => {
  const { input_tokens } = await client.messages.countTokens({ model, messages: user('Hello there') });
  assert.ok(input_tokens > 0);
});

step('models', async () => {
  const names = [];
  for await (const each of client.models.list()) names.push(each.id);
  assert.ok(names.includes(model), names.join());
});

step('a wrong key', async () => {
  const stranger = new Anthropic({ baseURL: url, apiKey: 'sk-wrong', maxRetries: 0 });
  const error = await thrown(() => stranger.messages.create(asked('Hello')));
  assert.ok(error instanceof Anthropic.AuthenticationError, String(error));
});

step('an unknown model', async () => {
  const error = await thrown(() => client.messages.create({ ...asked('Hello'), model: 'nobody/knows' }));
  assert.ok(error instanceof Anthropic.NotFoundError, String(error));
});

step('a bad request', async () => {
  const error = await thrown(() => client.messages.create({ model, messages: user('no limit') }));
  assert.ok(error instanceof Anthropic.BadRequestError, String(error));
});

step('a stream that breaks', async () => {
  const error = await thrown(() => client.messages.stream(asked('cut the answer')).finalMessage());
  assert.ok(error instanceof Anthropic.APIError, String(error));
});

await run();
