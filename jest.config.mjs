/** Folders of test/ whose specs need no server: they run alone without looking for one. */
const PURE = ['core', 'sql', 'tooling', 'versioning/pure'];

const swc = {
  swcrc: false,
  sourceMaps: 'inline',
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    keepClassNames: true,
  },
  module: { type: 'es6' },
};

const base = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^nestjs-cacheops$': '<rootDir>/lib/index.ts',
    '^nestjs-cacheops/typeorm$': '<rootDir>/lib/typeorm/index.ts',
    '^nestjs-cacheops/nunjucks$': '<rootDir>/lib/templates/nunjucks.ts',
    '^nestjs-cacheops/cache-manager$': '<rootDir>/lib/integrations/cache-manager.ts',
    '^nestjs-cacheops/file$': '<rootDir>/lib/integrations/file.ts',
  },
  transform: { '^.+\\.ts$': ['@swc/jest', swc] },
};

// Jest runs the global setup of a project only if one of its specs was selected.
export default {
  // Only to end what hangs: a machine that does other things besides may take ten times as long as usual.
  testTimeout: 30_000,
  // A fresh process for each spec: Node 20 walks every AsyncLocalStorage that was ever entered at each promise, and each
  // spec brings its own. After fifty of them what takes seconds took a quarter of an hour.
  workerIdleMemoryLimit: '8MB',
  projects: [
    {
      ...base,
      displayName: 'pure',
      testMatch: PURE.map((folder) => `<rootDir>/test/${folder}/**/*.spec.ts`),
    },
    {
      ...base,
      displayName: 'servers',
      testMatch: ['**/*.spec.ts'],
      testPathIgnorePatterns: ['/node_modules/', ...PURE.map((folder) => `<rootDir>/test/${folder}/`)],
      globalSetup: '<rootDir>/test/support/servers/global-setup.mjs',
      globalTeardown: '<rootDir>/test/support/servers/global-teardown.mjs',
    },
  ],
};
