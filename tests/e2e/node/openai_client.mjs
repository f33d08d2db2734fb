// The usual programs of the npm package `openai`: only base URL, key and model are those of Nexus.

import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { PICTURE, SEEN, SUM, apiKey, embedder, model, run, step, thrown, url } from './steps.mjs';

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey });
const user = (content) => [{ role: 'user', content }];
const Animal = z.object({ name: z.string(), legs: z.number().int() });
const parameters = {
  type: 'object',
  properties: { expression: { type: 'string' } },
  required: ['expression'],
  additionalProperties: false,
};
const calculator = { type: 'function', function: { name: 'calculator', parameters } };

step('chat', async () => {
  const answer = await client.chat.completions.create({ model, messages: user('Hello') });
  assert.equal(answer.choices[0].message.content, 'You said: Hello');
  assert.ok(answer.usage.total_tokens > 0);
});

step('chat streamed', async () => {
  const options = { stream: true, stream_options: { include_usage: true } };
  const stream = await client.chat.completions.create({ model, messages: user('Hello'), ...options });
  let text = '';
  let usage;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, 'You said: Hello');
  assert.ok(usage.completion_tokens > 0);
});

step('chat tools, run by the helper', async () => {
  const called = [];
  const tool = {
    type: 'function',
    function: {
      ...calculator.function,
      parse: JSON.parse,
      function: ({ expression }) => {
        called.push(expression);
        return '144';
      },
    },
  };
  const runner = client.chat.completions.runTools({ model, messages: user('What is 12*12?'), tools: [tool], stream: true });
  assert.match(await runner.finalContent(), /calculator says 144/);
  assert.deepEqual(called, ['12*12']);
});

step('chat parsed', async () => {
  const answer = await client.chat.completions.parse({
    model,
    messages: user('cat'),
    response_format: zodResponseFormat(Animal, 'animal'),
  });
  assert.deepEqual(answer.choices[0].message.parsed, { name: 'cat', legs: 7 });
});

step('chat vision', async () => {
  const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${PICTURE}` } };
  const answer = await client.chat.completions.create({ model, messages: user([{ type: 'text', text: 'Look' }, image]) });
  assert.ok(answer.choices[0].message.content.includes(SEEN));
});

step('responses', async () => {
  const answer = await client.responses.create({ model, input: 'Hello' });
  assert.equal(answer.output_text, 'You said: Hello');
  assert.equal(answer.status, 'completed');
});

step('responses streamed', async () => {
  const stream = client.responses.stream({ model, input: 'Hello' });
  let text = '';
  stream.on('response.output_text.delta', (event) => (text += event.delta));
  const answer = await stream.finalResponse();
  assert.equal(text, 'You said: Hello');
  assert.equal(answer.output_text, text);
  assert.ok(answer.usage.output_tokens > 0);
});

step('responses tools', async () => {
  const tools = [{ type: 'function', name: 'calculator', parameters, strict: true }];
  const input = user(SUM);
  const first = await client.responses.create({ model, input, tools });
  const call = first.output.find((item) => item.type === 'function_call');
  assert.deepEqual(JSON.parse(call.arguments), { expression: '12*12' });
  const result = { type: 'function_call_output', call_id: call.call_id, output: '144' };
  const second = await client.responses.create({ model, input: [...input, ...first.output, result], tools });
  assert.match(second.output_text, /calculator says 144/);
});

step('responses parsed', async () => {
  const text = { format: zodTextFormat(Animal, 'animal') };
  const answer = await client.responses.parse({ model, input: 'cat', text });
  assert.deepEqual(answer.output_parsed, { name: 'cat', legs: 7 });
});

step('embeddings', async () => {
  const answer = await client.embeddings.create({ model: embedder, input: ['a b', 'b a'] });
  assert.equal(answer.data.length, 2);
  assert.equal(answer.data[0].embedding.length, 384);
});

step('models', async () => {
  const names = [];
  for await (const each of client.models.list()) names.push(each.id);
  assert.ok(names.includes(model), names.join());
});

step('a wrong key', async () => {
  const stranger = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'sk-wrong', maxRetries: 0 });
  const error = await thrown(() => stranger.chat.completions.create({ model, messages: user('Hello') }));
  assert.ok(error instanceof OpenAI.AuthenticationError, String(error));
});

step('an unknown model', async () => {
  const error = await thrown(() => client.chat.completions.create({ model: 'nobody/knows', messages: user('Hello') }));
  assert.ok(error instanceof OpenAI.NotFoundError, String(error));
});

step('a bad request', async () => {
  const error = await thrown(() => client.chat.completions.create({ model, messages: 'no list' }));
  assert.ok(error instanceof OpenAI.BadRequestError, String(error));
});

step('a stream that breaks', async () => {
  const stream = await client.chat.completions.create({ model, messages: user('cut the answer'), stream: true });
  const error = await thrown(async () => {
    for await (const chunk of stream) assert.equal(chunk.choices[0]?.finish_reason ?? null, null);
  });
  assert.ok(error instanceof OpenAI.APIError, String(error));
});

await run();
