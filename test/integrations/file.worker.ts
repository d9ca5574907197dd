// One process of file.spec.ts. Arguments: directory, number of keys, what to do.
import { randomBytes } from 'node:crypto';
import { FileStore } from '../../lib/integrations/file.js';
import { check, sealed } from './file.values.js';

const [directory = '', keys = '', job = ''] = process.argv.slice(2);
const store = new FileStore({ directory });
const faults: string[] = [];
const say = (type: string, more: object = {}): void => void process.send?.({ type, ...more });

let ended = false;

async function write(n: number): Promise<void> {
  const key = `key ${n % Number(keys)}`;
  await store.set(key, sealed(key, randomBytes(1 + (n % 7) * 20_000)), 60_000);
  const found = await store.get(key);
  const fault = found && check(key, found);
  if (fault) faults.push(fault);
}

async function work(): Promise<void> {
  for (let n = 0; !ended; n++) {
    await (job === 'sweep' ? store.sweep() : write(n));
    if (n % 10 === 9) say('round');
  }
  say('ended', { faults });
  process.disconnect();
}

process.on('message', ({ type }: { type: string }) => {
  if (type === 'go') void work();
  else ended = true;
});
say('ready');
