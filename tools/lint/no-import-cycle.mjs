// import-x/no-cycle leaves out type imports; a cycle of types is as hard to read and to take apart as any other.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import ts from 'typescript';

const imports = new Map();

/** The TypeScript file a relative specifier means, or undefined. */
function target(from, specifier) {
  if (!specifier.startsWith('.')) return undefined;
  const file = resolve(dirname(from), specifier).replace(/\.js$/, '.ts');
  return existsSync(file) ? file : undefined;
}

/** The files that `file` imports, as it is on disk; read once a run. */
function importsOf(file) {
  let known = imports.get(file);
  if (known === undefined) {
    const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'), true, true);
    known = importedFiles.map(({ fileName }) => target(file, fileName)).filter((each) => each !== undefined);
    imports.set(file, known);
  }
  return known;
}

/** The shortest way from `start` to `goal` along imports, both ends included; undefined when there is none. */
function path(start, goal) {
  const cameFrom = new Map([[start, undefined]]);
  for (const file of cameFrom.keys()) {
    if (file === goal) {
      const way = [];
      for (let step = file; step !== undefined; step = cameFrom.get(step)) way.unshift(step);
      return way;
    }
    for (const next of importsOf(file)) if (!cameFrom.has(next)) cameFrom.set(next, file);
  }
  return undefined;
}

export const noImportCycle = {
  meta: {
    type: 'problem',
    docs: { description: 'Forbid import cycles, those made of type imports included.' },
    messages: { cycle: 'Import cycle: {{way}}' },
    schema: [],
  },
  create(context) {
    const check = (node) => {
      if (typeof node.source?.value !== 'string') return;
      const file = target(context.filename, node.source.value);
      const way = file && path(file, context.filename);
      if (!way) return;
      const names = [context.filename, ...way].map((each) => relative(context.cwd, each));
      context.report({ node, messageId: 'cycle', data: { way: names.join(' -> ') } });
    };
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
      TSImportType: check,
    };
  },
};
