// node --import ./tools/typescript.mjs hold-file.ts <folder> <name>: takes a lock, says so, and never lets go.
import { FileLockDriver } from '../../../lib/locks/drivers/file.lock-driver.js';

const [folder = '', name = ''] = process.argv.slice(2);
const driver = new FileLockDriver({ folder });
const reply = await driver.acquire({
  names: [name],
  owner: 'child',
  mode: 'exclusive',
  limit: 1,
  ttl: 3_600_000,
  metadata: '',
});
process.stdout.write(JSON.stringify(reply));
setInterval(() => undefined, 1_000);
