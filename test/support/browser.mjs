// Finds the browser for the specs that look at pages. In order: TEST_CHROMIUM, a binary, the system's packages.
import { existsSync } from 'node:fs';
import { aptInstalled } from './servers/apt.mjs';
import { findBinary } from './servers/process.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const FOLDERS = ['/usr/lib/chromium', '/Applications/Google Chrome.app/Contents/MacOS'];

/** The path of a Chromium. */
export function findBrowser() {
  const given = process.env.TEST_CHROMIUM;
  if (given) {
    if (existsSync(given)) return given;
    throw new Error(`TEST_CHROMIUM: there is no ${given}`);
  }
  const find = () => findBinary(NAMES, FOLDERS);
  const found = find() ?? aptInstalled(['chromium', 'fonts-dejavu-core'], find);
  if (found) return found;
  throw new Error(
    'The tests of pages need Chromium: set TEST_CHROMIUM to its path, or install it (Debian: apt-get install chromium).',
  );
}
