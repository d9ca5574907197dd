import { existsSync } from 'node:fs';
import { run } from './process.mjs';

/**
 * Installs packages where that is ours to do: as root on Debian.
 * @returns what `find` finds then; `undefined` when it is not ours to do
 */
export function aptInstalled(packages, find) {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return undefined;
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, maxBuffer: 64 * 1024 * 1024 };
  // Somebody else may be installing: a new machine updates itself.
  const wait = ['-o', 'DPkg::Lock::Timeout=300'];
  try {
    run('apt-get', [...wait, 'update'], options);
    run('apt-get', [...wait, 'install', '-y', '--no-install-recommends', ...packages], options);
  } catch (error) {
    // In a container the package's own service may fail to start; what counts is whether the binary is there.
    if (!find()) throw error;
  }
  return find();
}
