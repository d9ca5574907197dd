// Finds libfaketime, by which tests move the clock of a server of their own. In order: TEST_FAKETIME, the folders of
// libraries, the system's packages.
import { existsSync } from 'node:fs';
import { aptInstalled } from './apt.mjs';

const FOLDERS = [
  ...['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime`),
  '/usr/lib64/faketime',
  '/usr/lib/faketime',
  '/usr/local/lib/faketime',
];

/** The path of libfaketime. */
export function findFaketime({ install = aptInstalled, folders = FOLDERS } = {}) {
  const given = process.env.TEST_FAKETIME;
  if (given) {
    if (existsSync(given)) return given;
    throw new Error(`TEST_FAKETIME: there is no ${given}`);
  }
  const find = () => folders.map((folder) => `${folder}/libfaketime.so.1`).find((file) => existsSync(file));
  const found = find() ?? install(['faketime'], find);
  if (found) return found;
  throw new Error(
    'The tests that move clocks need libfaketime, on Linux: set TEST_FAKETIME to the path of libfaketime.so.1, or ' +
      'install it (Debian: apt-get install faketime).',
  );
}
