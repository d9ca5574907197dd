// An application that does not have an optional peer must be able to import the root entry and to type-check against
// it. So the peers may not occur in the declarations that the root reaches, nor in the static imports of its code.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { isBuilt, optionalPeers, packageEntries } from './entries.mjs';

/** The leaks of the root entry of the package in `root`, one line each: `file: peer`. */
export function optionalPeerLeaks(root) {
  const entry = packageEntries(root)[0];
  if (!isBuilt(root, entry)) return [];
  const peers = optionalPeers(root);
  return [...leaks(entry.types, '.d.ts', peers), ...leaks(entry.js, '.js', peers)].map(
    ({ file, specifier }) => `${relative(root, file)}: ${specifier}`,
  );
}

function leaks(entry, extension, peers) {
  const found = [];
  const files = new Set([entry]);
  for (const file of files) {
    for (const specifier of moduleSpecifiers(file)) {
      if (specifier.startsWith('.')) {
        const next = resolve(dirname(file), specifier).replace(/\.js$/, extension);
        if (existsSync(next)) files.add(next);
      } else if (peers.some((peer) => specifier === peer || specifier.startsWith(`${peer}/`))) {
        found.push({ file, specifier });
      }
    }
  }
  return found;
}

/** What a file needs at load: imports, re-exports, import types, type references; not `import()` at run time. */
function moduleSpecifiers(file) {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  const found = source.typeReferenceDirectives.map(({ fileName }) => fileName);
  const visit = (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) found.push(node.moduleSpecifier?.text);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      found.push(node.argument.literal.text);
    if (ts.isModuleDeclaration(node) && ts.isStringLiteral(node.name)) found.push(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found.filter((specifier) => specifier !== undefined);
}

if (fileURLToPath(import.meta.url) === argv[1]) {
  const found = optionalPeerLeaks(dirname(import.meta.dirname));
  if (found.length > 0) {
    console.error(`Optional peers reach the root entry:\n  ${found.join('\n  ')}`);
    process.exit(1);
  }
}
