// Which folder of lib/ may import which: DESIGN.md §2, "arrows point inward". A folder may always import itself.

/** Layer -> the layers it may import. Every folder of lib/ has its line. */
export const LAYERS = {
  core: [],
  sql: [],
  drivers: ['core'],
  'near-cache': ['core', 'drivers'],
  invalidation: ['core'],
  typeorm: ['core', 'sql', 'invalidation', 'versioning', 'locks'],
  locks: ['drivers', 'options'],
  versioning: ['core'],
  decorators: ['core', 'options'],
  interceptors: ['core', 'invalidation', 'decorators', 'discovery', 'options', 'service', 'versioning'],
  discovery: ['core', 'invalidation', 'decorators'],
  templates: ['core', 'service'],
  admin: ['core', 'invalidation'],
  cli: ['typeorm', 'integrations'],
  integrations: ['core', 'drivers', 'service'],
  options: ['core', 'versioning'],
  service: ['core', 'invalidation', 'options', 'locks', 'decorators', 'discovery'],
  testing: ['core', 'drivers', 'near-cache', 'invalidation', 'locks'],
};

/** Files that are ports or vocabulary rather than parts of a layer: importable from everywhere. */
export const EVERYWHERE = [
  'cacheops.errors.ts',
  'core/clock.ts',
  'drivers/*.interface.ts',
  'options/parse.ts',
];

/** Files of the root that the outermost layers may import: the rest of the root only wires. */
const ROOT_VOCABULARY = ['cacheops.options.ts', 'cacheops.module-definition.ts', 'cacheops.service.ts'];
const OUTERMOST = [
  'decorators',
  'interceptors',
  'discovery',
  'templates',
  'admin',
  'cli',
  'integrations',
  'service',
  'testing',
  'typeorm',
];

/** Packages that only these layers may import. `lib/*.ts` is the layer `root`. */
const PACKAGES = [
  { names: ['typeorm', '@nestjs/typeorm'], layers: ['typeorm', 'locks', 'versioning', 'cli'] },
  { names: ['ioredis'], layers: ['drivers', 'near-cache', 'locks', 'root'] },
  { names: ['memcache-client'], layers: ['locks'] },
  { names: ['cacache', 'keyv', 'cache-manager'], layers: ['integrations'] },
  { names: ['@guanmingchiu/sqlparser-ts'], layers: ['sql'] },
  {
    names: ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs'],
    layers: [...OUTERMOST, 'locks', 'versioning', 'root'],
  },
];

/** Zones for `import-x/no-restricted-paths`. */
export function zones() {
  return Object.entries(LAYERS).map(([layer, allowed]) => ({
    target: `./lib/${layer}/**/*`,
    from: './lib/**/*',
    except: [
      ...[layer, ...allowed].map((name) => `**/lib/${name}/**`),
      ...[...EVERYWHERE, ...(OUTERMOST.includes(layer) ? ROOT_VOCABULARY : [])].map(
        (file) => `**/lib/${file}`,
      ),
    ],
    message: `lib/${layer} may import ${allowed.length > 0 ? allowed.join(', ') : 'no other layer'} (tools/lint/layers.mjs).`,
  }));
}

/** One flat-config object a layer: the packages that it must not import. */
export function packageRules() {
  return [...Object.keys(LAYERS), 'root'].map((layer) => {
    const banned = PACKAGES.filter(({ layers }) => !layers.includes(layer)).flatMap(({ names }) => names);
    return {
      files: [layer === 'root' ? 'lib/*.ts' : `lib/${layer}/**/*.ts`],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              {
                group: banned.flatMap((name) => [name, `${name}/*`]),
                message: `lib/${layer} does not know this package.`,
              },
            ],
          },
        ],
      },
    };
  });
}
