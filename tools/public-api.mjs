// etc/public-api.txt is everything that users can import, with its signatures: a change of it is seen in review.
// `npm run api` compares it with the build, `npm run api -- --write` replaces it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { isBuilt, packageEntries } from './entries.mjs';

const SNAPSHOT = 'etc/public-api.txt';

/** The text of the snapshot for the package in `root`, from the declarations of its build. */
export function publicApi(root) {
  const entries = packageEntries(root).filter((entry) => isBuilt(root, entry));
  const program = ts.createProgram({
    rootNames: entries.map(({ types }) => types),
    // Declarations are printed as they are written: only imports need resolving, no type does.
    options: {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      noLib: true,
      types: [],
    },
  });
  const checker = program.getTypeChecker();
  const sections = entries.map(({ name, types }) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(types));
    const exported = module ? checker.getExportsOfModule(module) : [];
    const lines = exported.map((symbol) => describe(checker, symbol)).sort();
    return [`# ${name}`, ...lines].join('\n\n');
  });
  return `${sections.join('\n\n')}\n`;
}

function describe(checker, symbol) {
  const original = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const texts = (original.declarations ?? []).map(printed);
  if (texts.length === 0) throw new Error(`The export ${symbol.name} does not resolve.`);
  return `${symbol.name}\n${texts.join('\n')}`.replace(/^/gm, '  ').replace(/^ {2}/, '');
}

/** A declaration without comments, modifiers of export, and members that are nobody's business. */
function printed(declaration) {
  const statement = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  const isHidden = (node) =>
    ts.isClassElement(node) &&
    (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Private ||
      (node.name && ts.isPrivateIdentifier(node.name)));
  const { transformed } = ts.transform(statement, [
    (context) => (root) => {
      const visit = (node) => (isHidden(node) ? undefined : ts.visitEachChild(node, visit, context));
      return ts.visitNode(root, visit);
    },
  ]);
  const printer = ts.createPrinter({ removeComments: true });
  const text = printer.printNode(ts.EmitHint.Unspecified, transformed[0], declaration.getSourceFile());
  return text.replace(/^(export |declare |default )+/, '').replace(/;$/, '');
}

function main() {
  const root = dirname(import.meta.dirname);
  const file = join(root, SNAPSHOT);
  const now = publicApi(root);
  if (argv.includes('--write')) return writeFileSync(file, now);
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (before === now) return;
  console.error(`${SNAPSHOT} is not what the build exports:\n${difference(before, now)}`);
  console.error('\nIf the change is meant: npm run api -- --write, and a line in CHANGELOG.md.');
  process.exitCode = 1;
}

/** The lines that only one of the two has. */
function difference(before, now) {
  const [old, fresh] = [before.split('\n'), now.split('\n')];
  const gone = old.filter((line) => !fresh.includes(line)).map((line) => `- ${line}`);
  const added = fresh.filter((line) => !old.includes(line)).map((line) => `+ ${line}`);
  return [...gone, ...added].join('\n') || '(order only)';
}

if (fileURLToPath(import.meta.url) === argv[1]) main();
