// Finds the browser for the specs that look at pages. In order: TEST_CHROMIUM, a binary, the system's packages.
import { existsSync } from 'node:fs';
import { findBinary, run } from './servers/process.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const FOLDERS = ['/usr/lib/chromium', '/Applications/Google Chrome.app/Contents/MacOS'];

/** The path of a Chromium. */
export function findBrowser() {
  const given = process.env.TEST_CHROMIUM;
  if (given) {
    if (existsSync(given)) return given;
    throw new Error(`TEST_CHROMIUM: there is no ${given}`);
  }
  const found = findBinary(NAMES, FOLDERS) ?? installed();
  if (found) return found;
  throw new Error(
    'The tests of pages need Chromium: set TEST_CHROMIUM to its path, or install it (Debian: apt-get install chromium).',
  );
}

/** Installs it where that is ours to do: as root on Debian. */
function installed() {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return undefined;
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, maxBuffer: 64 * 1024 * 1024 };
  run('apt-get', ['update'], options);
  run('apt-get', ['install', '-y', '--no-install-recommends', 'chromium', 'fonts-dejavu-core'], options);
  return findBinary(NAMES, FOLDERS);
}
