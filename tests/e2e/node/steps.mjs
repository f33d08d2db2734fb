// Runs named steps one after another and says how each went, one JSON line a step.

const steps = [];

export const step = (name, work) => steps.push([name, work]);

export async function run() {
  for (const [name, work] of steps) {
    let failure = null;
    try {
      await work();
    } catch (error) {
      failure = String(error?.stack ?? error);
    }
    process.stdout.write(`${JSON.stringify({ name, failure })}\n`);
  }
}

export const PICTURE = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';
export const SEEN = 'image/png of 70 bytes';
export const SUM = 'What is 12*12, and what time is it?';

export const url = process.env.GATEWAY_URL;
export const apiKey = process.env.GATEWAY_KEY;
export const model = process.env.GATEWAY_MODEL;
export const embedder = process.env.GATEWAY_EMBEDDER;

export async function thrown(work) {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
