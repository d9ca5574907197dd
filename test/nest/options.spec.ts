import { readFileSync } from 'node:fs';
import { EntitySchema } from 'typeorm';
import { resolveOptions } from '../../lib/cacheops.options.js';
import { NEAR_DEFAULTS } from '../../lib/options/near.js';
import { CACHE_OPS, CacheOpsConfigError, type CacheOpsOptions, DEFAULTS } from '../../lib/index.js';
import { Article } from './entities.js';

const DAY = 86_400_000;
const client = { mgetBuffer: () => undefined, evalsha: () => undefined };
const schema = new EntitySchema({ name: 'Plain', columns: { id: { type: Number, primary: true } } });

describe('what is accepted', () => {
  it('resolves the defaults', () => {
    expect(resolveOptions()).toEqual({
      enabled: true,
      redis: undefined,
      memory: { maxBytes: 64 * 1024 * 1024 },
      near: undefined,
      prefix: 'cacheops:',
      keyspace: undefined,
      ttl: 3_600_000,
      entities: [],
      dataSources: undefined,
      timeouts: { read: 250, write: 1_000, invalidation: 1_000, load: 30_000 },
      onRedisFailure: 'degrade',
      pendTtl: 30_000,
      replicaLag: 0,
      locks: { driver: 'memory', ttl: 10_000, wait: 5_000, timeout: 1_000 },
      logger: undefined,
      http: {
        header: false,
        user: expect.any(Function) as unknown,
        tenant: undefined,
        language: expect.any(Function) as unknown,
      },
      isGlobal: true,
    });
  });

  it('takes an undefined value for none', () => {
    const names = [
      'enabled',
      'redis',
      'memory',
      'prefix',
      'ttl',
      'entities',
      'dataSources',
      'timeouts',
      'pendTtl',
      'replicaLag',
    ];
    const none = Object.fromEntries(names.map((name) => [name, undefined]));
    expect(resolveOptions(none)).toEqual(resolveOptions());
    expect(resolveOptions({ timeouts: { read: undefined } })).toEqual(resolveOptions());
    expect(resolveOptions({ entities: { Article: undefined as never } }).entities).toEqual([]);
  });

  it.each<[CacheOpsOptions, object]>([
    [{ ttl: 1.2 }, { ttl: 2 }],
    [{ ttl: '2 days' }, { ttl: 2 * DAY }],
    [
      { timeouts: { read: '1s', load: '1m' } },
      { timeouts: { read: 1_000, write: 1_000, invalidation: 1_000, load: 60_000 } },
    ],
    [{ memory: { maxBytes: 1_000 } }, { memory: { maxBytes: 1_000 } }],
    [{ memory: { maxBytes: '1.5kb' } }, { memory: { maxBytes: 1_536 } }],
    [{ redis: 'rediss://u:p@h:1/2' }, { redis: 'rediss://u:p@h:1/2' }],
    [{ redis: '/run/redis.sock' }, { redis: '/run/redis.sock' }],
    [{ redis: { host: 'h' } }, { redis: { host: 'h' } }],
    [{ redis: client }, { redis: client }],
    [{ prefix: '' }, { prefix: '', keyspace: undefined }],
    [{ dataSources: ['a', 'a', 'b'] }, { dataSources: ['a', 'b'] }],
  ])('%j', (options, expected) => {
    expect(resolveOptions(options)).toMatchObject(expected);
  });

  it('keeps the constant prefix beside a function', () => {
    const prefix = () => 'tenant';
    expect(resolveOptions({ prefix })).toMatchObject({ prefix: 'cacheops:', keyspace: prefix });
  });

  it('reads profiles by name and as a list, in order, with the default ttl', () => {
    const named = resolveOptions({ ttl: '1m', entities: { Article: { ops: 'get' }, 'A*': false, '*': {} } });
    expect(named.entities).toEqual([
      { entity: 'Article', profile: { ops: new Set(['get']), ttl: 60_000 } },
      { entity: 'A*', profile: false },
      { entity: '*', profile: { ops: new Set(), ttl: 60_000 } },
    ]);
    const listed = resolveOptions({
      entities: [
        [Article, { ops: ['get', 'count'], ttl: '1d' }],
        [schema, { ops: 'all' }],
      ],
    });
    expect(listed.entities).toEqual([
      { entity: Article, profile: { ops: new Set(['get', 'count']), ttl: DAY } },
      { entity: 'Plain', profile: { ops: new Set(CACHE_OPS), ttl: 3_600_000 } },
    ]);
  });

  it('reads the rules of versions, and leaves out what they do not say', () => {
    const defaults = { guard: 'all', missing: 'require', base: false, entities: [] };
    expect(resolveOptions({ versioning: {} }).versioning).toEqual(defaults);
    const { versioning } = resolveOptions({
      versioning: {
        guard: 'listed',
        entities: [
          ['Draft', false],
          [Article, { missing: 'skip', fields: ['title'], owns: ['tags'], kind: 'xmin', base: true }],
          ['*', true],
        ],
      },
    });
    expect(versioning).toEqual({
      ...defaults,
      guard: 'listed',
      entities: [
        { entity: 'Draft', policy: false },
        {
          entity: Article,
          policy: { missing: 'skip', fields: ['title'], owns: ['tags'], kind: 'xmin', base: true },
        },
        { entity: '*', policy: {} },
      ],
    });
    expect([versioning, versioning?.entities, versioning?.entities[1]?.policy].every(Object.isFrozen)).toBe(
      true,
    );
  });

  it('is frozen', () => {
    const options = resolveOptions({ entities: { Article: { ops: 'get' } }, dataSources: ['default'] });
    const parts: unknown[] = [
      options,
      options.memory,
      options.timeouts,
      options.entities,
      options.dataSources,
    ];
    expect([...parts, options.entities[0], options.entities[0]?.profile].every(Object.isFrozen)).toBe(true);
  });
});

describe('what is refused', () => {
  it.each<[string, unknown, string, RegExp]>([
    ['ttll', { ttll: 1 }, 'ttll', /Did you mean ttl\?/],
    ['an option of another package', { store: 1 }, 'store', /expected one of enabled, redis/],
    ['near: true', { near: true }, 'near', /an object/],
    ['an unknown mode', { near: { mode: 'hopeful' } }, 'near.mode', /"tracked" or "checked"/],
    ['a near cache without room', { near: { maxBytes: 0 } }, 'near.maxBytes', /a size/],
    ['near.maxLag: 0', { near: { maxLag: 0 } }, 'near.maxLag', /more than 0 ms/],
    ['options that are no object', 'redis://h', 'options', /an object/],
    ['ttl: 0', { ttl: 0 }, 'ttl', /more than 0 ms.* got 0/],
    ['ttl: text', { ttl: 'soon' }, 'ttl', /got "soon"/],
    ['ttl: empty', { ttl: '' }, 'ttl', /got ""/],
    ['ttl: NaN', { ttl: NaN }, 'ttl', /got NaN/],
    ['ttl: negative', { ttl: '-1h' }, 'ttl', /got "-1h"/],
    ['ttl: for ever', { ttl: Infinity }, 'ttl', /got Infinity/],
    ['replicaLag', { replicaLag: 0 }, 'replicaLag', /more than 0 ms/],
    ['ttl: null', { ttl: null }, 'ttl', /got null/],
    ['a timeout that no timer can wait', { timeouts: { load: '30d' } }, 'timeouts.load', /at most 24 days/],
    ['an unknown timeout', { timeouts: { reed: 1 } }, 'timeouts.reed', /Did you mean read\?/],
    ['timeouts: 1', { timeouts: 1 }, 'timeouts', /an object, got 1/],
    ['maxBytes: text', { memory: { maxBytes: '12 monkeys' } }, 'memory.maxBytes', /a size/],
    ['maxBytes: 0', { memory: { maxBytes: 0 } }, 'memory.maxBytes', /got 0/],
    ['memory: text', { memory: '64mb' }, 'memory', /an object, got "64mb"/],
    ['memory beside redis', { redis: 'redis://h', memory: {} }, 'memory', /beside redis/],
    ['redis: another protocol', { redis: 'http://h' }, 'redis', /got "http:\/\/h"/],
    ['redis: no URL', { redis: 'localhost' }, 'redis', /a URL such as/],
    ['redis: empty', { redis: '' }, 'redis', /got ""/],
    ['redis: null', { redis: null }, 'redis', /got null/],
    ['redis: a list', { redis: ['redis://h'] }, 'redis', /a URL such as/],
    ['prefix: number', { prefix: 1 }, 'prefix', /a text, or a function/],
    ['enabled: text', { enabled: 'true' }, 'enabled', /true or false, got "true"/],
    ['isGlobal: 1', { isGlobal: 1 }, 'isGlobal', /true or false/],
    ['onRedisFailure', { onRedisFailure: 'ignore' }, 'onRedisFailure', /"degrade" or "fail", got "ignore"/],
    ['logger without warn', { logger: { log: () => 0, error: () => 0 } }, 'logger', /log, warn and error/],
    ['dataSources: text', { dataSources: 'default' }, 'dataSources', /a list of DataSource names/],
    ['dataSources: empty name', { dataSources: [''] }, 'dataSources', /a list of DataSource names/],
    ['entities: text', { entities: 'Article' }, 'entities', /an object by entity name/],
    ['a profile of true', { entities: { Article: true } }, 'entities.Article', /or false, got true/],
    ['an unknown op', { entities: { A: { ops: 'find' } } }, 'entities.A.ops', /"get" or .* got "find"/],
    ['an unknown op in a list', { entities: { A: { ops: ['get', 'all'] } } }, 'entities.A.ops', /got "all"/],
    [
      'an unknown key of a profile',
      { entities: { A: { op: 'get' } } },
      'entities.A.op',
      /Did you mean ops\?/,
    ],
    ['ttl of a profile', { entities: { A: { ttl: 'x' } } }, 'entities.A.ttl', /got "x"/],
    ['versioning: true', { versioning: true }, 'versioning', /an object, got true/],
    ['an unknown key', { versioning: { gaurd: 'all' } }, 'versioning.gaurd', /Did you mean guard\?/],
    ['guard: none', { versioning: { guard: 'none' } }, 'versioning.guard', /"all" or "listed", got "none"/],
    ['missing: warn', { versioning: { missing: 'warn' } }, 'versioning.missing', /"require" or "skip"/],
    ['base: yes', { versioning: { base: 'yes' } }, 'versioning.base', /true or false, got "yes"/],
    [
      'a list of names',
      { versioning: { entities: ['Article'] } },
      'versioning.entities[0]',
      /\[entity, value\]/,
    ],
    ['entities: text', { versioning: { entities: 'Article' } }, 'versioning.entities', /an object by entity/],
    [
      'a policy of text',
      { versioning: { entities: { A: 'skip' } } },
      'versioning.entities.A',
      /a policy such as/,
    ],
    [
      'an unknown key of a policy',
      { versioning: { entities: { A: { field: ['x'] } } } },
      'versioning.entities.A.field',
      /Did you mean fields\?/,
    ],
    [
      'an unknown kind',
      { versioning: { entities: { A: { kind: 'rowversion' } } } },
      'versioning.entities.A.kind',
      /"column" or .* got "rowversion"/,
    ],
    [
      'no fields',
      { versioning: { entities: { A: { fields: [] } } } },
      'versioning.entities.A.fields',
      /a list of/,
    ],
    [
      'fields: text',
      { versioning: { entities: { A: { fields: 'x' } } } },
      'versioning.entities.A.fields',
      /got "x"/,
    ],
    [
      'an empty path',
      { versioning: { entities: { A: { owns: [''] } } } },
      'versioning.entities.A.owns',
      /a list of/,
    ],
    [
      'missing of a policy',
      { versioning: { entities: { A: { missing: null } } } },
      'versioning.entities.A.missing',
      /"require" or "skip"/,
    ],
    [
      'base of a policy',
      { versioning: { entities: { A: { base: 1 } } } },
      'versioning.entities.A.base',
      /got 1/,
    ],
    ['a rule that is no tuple', { entities: [Article] }, 'entities[0]', /\[entity, value\]/],
    ['a rule of nothing', { entities: [[undefined, {}]] }, 'entities[0][0]', /an entity class/],
    [
      'an entity twice',
      {
        entities: [
          [Article, {}],
          [Article, false],
        ],
      },
      'entities[1](Article)',
      /one rule for each/,
    ],
  ])('%s', (_, options, path, message) => {
    const refused = () => resolveOptions(options as CacheOpsOptions);
    expect(refused).toThrow(CacheOpsConfigError);
    expect(refused).toThrow(message);
    expect(refused).toThrow(expect.objectContaining({ code: 'CONFIG', option: path }));
  });

  it('keeps passwords out of the message', () => {
    const refused = () => resolveOptions({ redis: 'http://user:secret@host' });
    expect(refused).toThrow('//***@host');
    expect(refused).not.toThrow('secret');
  });
});

const prefixed = (path: string, values: object) =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [`${path}.${key}`, value as unknown]));

describe('docs/options.md', () => {
  const text = readFileSync(new URL('../../docs/options.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `([\w.]+)` +\| ([^|]+?) +\|/gm)].map(([, name, value]) => [
    name,
    value,
  ]);
  const documented = Object.fromEntries(rows) as Record<string, string>;

  it('says the default of every option', () => {
    const all = { ...DEFAULTS, ...prefixed('near', NEAR_DEFAULTS) };
    const flat = Object.entries(all).flatMap(([name, value]) =>
      typeof value === 'object'
        ? Object.entries(value).map(([key, each]) => [`${name}.${key}`, each])
        : [[name, value]],
    );
    for (const [name, value] of flat) {
      const shown = typeof value === 'string' ? `\`'${value}'\`` : `\`${value}\``;
      expect([name, documented[name as string]]).toEqual([name, shown]);
    }
  });

  it('describes every option and no other', () => {
    const options = { ...resolveOptions({ near: {} }), keyspace: undefined } as Record<string, unknown>;
    delete options['keyspace'];
    const nested = (name: string) => Object.keys(options[name] as object).map((key) => `${name}.${key}`);
    const names = Object.keys(options).flatMap((name) => {
      if (name === 'outbox') return ['outbox', 'outbox.table', 'outbox.interval'];
      if (name === 'near') return ['near', ...nested(name)];
      return ['memory', 'timeouts', 'locks', 'http'].includes(name) ? nested(name) : [name];
    });
    expect(Object.keys(documented).sort()).toEqual(names.sort());
  });
});
