// node tools/complete-lock.mjs, after `npm install` added a dependency.
// A registry mirror may hold the binaries of one platform only; npm then leaves the others out of the lock, and `npm ci`
// of npm 11 refuses the lock as incomplete. This adds an entry for each: its version is exact in the package that wants
// it, its platform is in its name.
import { readFileSync, writeFileSync } from 'node:fs';

const OS = /(?:^|-)(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)(?=-|$)/;
const CPU = /(?:^|-)(arm64|arm|ia32|loong64|mips64el|ppc64|riscv64|s390x|wasm32|x64)(?=-|$)/;

/** Adds what is missing to a parsed lock, and returns the names of what it added. */
function completeLock(lock) {
  const added = [];
  for (const parent of Object.values({ ...lock.packages })) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      const path = `node_modules/${name}`;
      const [, os] = OS.exec(name.split('/').pop()) ?? [];
      const [, cpu] = CPU.exec(name.split('/').pop()) ?? [];
      if (lock.packages[path] || !os || !cpu || !/^\d+\.\d+\.\d+/.test(version)) continue;
      lock.packages[path] = {
        version,
        cpu: [cpu],
        ...(parent.dev && { dev: true }),
        optional: true,
        os: [os],
      };
      added.push(name);
    }
  }
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
  return added;
}

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const added = completeLock(lock);
if (added.length > 0) writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length > 0 ? `Added ${added.join(', ')}` : 'The lock is complete.');
