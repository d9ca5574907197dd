// Takes locks of one name and of several, over and over, and counts under them in files that nothing else protects.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FileLockDriver } from '../../../lib/locks/drivers/file.lock-driver.js';
import { request } from '../requests.js';

const [folder = '', counters = '', id = '', rounds = ''] = process.argv.slice(2);
const SETS = [['a'], ['b'], ['a', 'b'], ['b', 'c'], ['a', 'b', 'c']];
const driver = new FileLockDriver({ folder });
const counted: Record<string, number> = { a: 0, b: 0, c: 0 };
const wrong: string[] = [];

for (let round = 0; round < Number(rounds);) {
  const names = SETS[round % SETS.length] as string[];
  const lease = request({ names, owner: `${id}-${round}` });
  const reply = await driver.acquire(lease);
  if (!reply.granted) {
    await sleep(Math.random() * 10);
    continue;
  }
  for (const name of names) {
    const file = join(counters, name);
    const [count = NaN, token = NaN] = readFileSync(file, 'utf8').split(' ').map(Number);
    if (!(Number(reply.fencingToken) > token)) wrong.push(`${name}: ${reply.fencingToken} after ${token}`);
    writeFileSync(file, `${count + 1} ${reply.fencingToken}`);
    counted[name] = (counted[name] ?? 0) + 1;
  }
  const outcomes = [...(await driver.renew([lease])), await driver.release(lease)];
  if (outcomes.join() !== 'renewed,released') wrong.push(outcomes.join());
  round++;
}
console.log(JSON.stringify({ counted, wrong }));
