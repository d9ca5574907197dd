import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The entries of a package that hold code: `{ name, types, js }`, paths absolute, in the order of `exports`. */
export function packageEntries(root) {
  const { name, exports } = readManifest(root);
  return Object.entries(exports)
    .filter(([, target]) => typeof target === 'object')
    .map(([subpath, target]) => ({
      name: join(name, subpath),
      types: join(root, target.types),
      js: join(root, target.default),
    }));
}

export function optionalPeers(root) {
  const { peerDependenciesMeta = {} } = readManifest(root);
  return Object.keys(peerDependenciesMeta).filter((name) => peerDependenciesMeta[name].optional);
}

/** Whether an entry was built. Its source may not exist yet; if it does, a missing output is an error. */
export function isBuilt(root, { name, types }) {
  if (existsSync(types)) return true;
  const source = types.replace(join(root, 'dist'), join(root, 'lib')).replace(/\.d\.ts$/, '.ts');
  if (existsSync(source)) throw new Error(`${name} is not built: run npm run build.`);
  return false;
}

function readManifest(root) {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
}
