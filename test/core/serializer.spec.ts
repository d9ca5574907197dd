import fc from 'fast-check';
import { runInNewContext } from 'node:vm';
import { CacheOpsSerializationError } from '../../lib/cacheops.errors.js';
import { classCodec, createClassRegistry } from '../../lib/core/class-registry.js';
import { createSerializer, type Serializer } from '../../lib/core/serializer.js';
import { MAX_DEPTH } from '../../lib/core/serializer.walk.js';
import { difference } from './exact.js';
import { EXACT_VALUES, storable } from './serializer.values.js';

const serializer = createSerializer();

function roundTrip(value: unknown, through: Serializer = serializer): unknown {
  return through.decode(through.encode(value));
}

function refusal(value: unknown): CacheOpsSerializationError {
  try {
    serializer.encode(value);
  } catch (error) {
    if (error instanceof CacheOpsSerializationError) return error;
    throw error;
  }
  throw new Error('expected a refusal');
}

class Money {
  constructor(readonly cents: bigint) {}
}
const classes = createClassRegistry([
  classCodec({
    target: Money,
    name: 'Money',
    encode: (money) => ({ cents: money.cents, sign: -0 }),
    decode: (data) => new Money((data as { cents: bigint }).cents),
  }),
]);

describe('exact round trips', () => {
  it.each(Object.entries(EXACT_VALUES))('%s', (_, value) => {
    expect(difference(value, roundTrip(value))).toBeUndefined();
  });

  it('any storable value, whatever was coded before it', () => {
    fc.assert(
      fc.property(storable(), (value) => difference(value, roundTrip(value)) === undefined),
      { numRuns: 1500 },
    );
  });

  it('rows of any strings, which are read in bulk by native code', () => {
    const rows = fc.array(fc.record({ a: fc.string({ unit: 'grapheme' }), b: fc.string(), c: fc.integer() }));
    fc.assert(
      fc.property(rows, (value) => difference(value, roundTrip(value)) === undefined),
      { numRuns: 500 },
    );
  });

  it('decodes in an instance that has seen none of the structures', () => {
    const value = [
      { a: 1, b: { c: 2 } },
      { a: 3, b: { c: 4 } },
    ];
    serializer.encode(value);
    expect(createSerializer().decode(serializer.encode(value))).toStrictEqual(value);
  });

  it('leaves the value as it was', () => {
    const value = Object.freeze({ list: Object.freeze([-0, Object.freeze({ __keys__: 1 })]) });
    expect(difference(value, roundTrip(value))).toBeUndefined();
  });

  it('an object that occurs twice comes back as two equal objects', () => {
    const shared = { a: [1] };
    const [first, second] = roundTrip([shared, shared]) as [object, object];
    expect(first).toStrictEqual(shared);
    expect(second).toStrictEqual(shared);
    expect(first).not.toBe(second);
  });

  it('gives bytes that the next encode does not touch', () => {
    const first = serializer.encode('first');
    serializer.encode('second');
    expect(serializer.decode(first)).toBe('first');
  });

  it('gives buffers that do not alias the stored bytes', () => {
    const bytes = serializer.encode(Buffer.from('abc'));
    (serializer.decode(bytes) as Buffer).fill(0);
    expect(serializer.decode(bytes)).toStrictEqual(Buffer.from('abc'));
  });

  it('takes plain values of another realm', () => {
    const foreign: unknown = runInNewContext(
      `({ a: [1, { b: -0 }], at: new Date(5), map: new Map([[1, {}]]), set: new Set([[2]]), re: /x/g })`,
    );
    const local = {
      a: [1, { b: -0 }],
      at: new Date(5),
      map: new Map([[1, {}]]),
      set: new Set([[2]]),
      re: /x/g,
    };
    expect(difference(local, roundTrip(foreign))).toBeUndefined();
  });

  it('does not let a stored key reach a prototype', () => {
    roundTrip(JSON.parse('{"__proto__":{"polluted":true}}'));
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('registered classes', () => {
  const withClasses = createSerializer({ classes });

  it('come back as instances', () => {
    const back = roundTrip({ price: new Money(-5n), all: [new Money(1n)] }, withClasses);
    expect(back).toStrictEqual({ price: new Money(-5n), all: [new Money(1n)] });
    expect((back as { price: Money }).price).toBeInstanceOf(Money);
  });

  it('are a decode error where the class is not registered', () => {
    const bytes = withClasses.encode(new Money(1n));
    expect(() => serializer.decode(bytes)).toThrow(CacheOpsSerializationError);
    expect(() => serializer.decode(bytes)).toThrow('"Money" is not registered');
  });

  it('do not stand for their subclasses', () => {
    class Tax extends Money {}
    expect(() => withClasses.encode(new Tax(1n))).toThrow('an instance of Tax');
  });

  it('refuse a second codec of a class or a name', () => {
    const money = classCodec({ target: Money, name: 'M', encode: () => 0, decode: () => new Money(0n) });
    const other = classCodec({ target: Date, name: 'M', encode: () => 0, decode: () => new Date() });
    expect(() => createClassRegistry([money, money])).toThrow('Money has two codecs');
    expect(() => createClassRegistry([money, other])).toThrow('named "M"');
  });
});

describe('refusals', () => {
  class Owner {}
  const cyclic: { children: unknown[] } = { children: [1] };
  cyclic.children.push({ parent: cyclic });
  const accessor = {
    list: [
      {
        ok: 1,
        get name() {
          return 'x';
        },
      },
    ],
  };
  const match = /b/.exec('abc');
  const hidden = Object.defineProperty({ a: 1 }, 'secret', { value: 1, enumerable: false });

  it.each<[string, unknown, string, string]>([
    ['a function', { items: [0, 1, 2, { owner: () => 1 }] }, 'value.items[3].owner', 'function owner'],
    ['a symbol', [Symbol('s')], 'value[0]', 'a symbol'],
    ['a symbol key', { a: { [Symbol('s')]: 1 } }, 'value.a[Symbol(s)]', 'named by a symbol'],
    ['a class instance', { items: [{ owner: new Owner() }] }, 'value.items[0].owner', 'an instance of Owner'],
    ['a promise', { a: Promise.resolve() }, 'value.a', 'await it first'],
    ['a weak map', new WeakMap(), 'value', 'WeakMap'],
    ['an error', { failed: new Error('x') }, 'value.failed', 'an instance of Error'],
    ['a boxed primitive', { text: new String('x') }, 'value.text', 'store the primitive'],
    ['a subclass of a native', new (class Day extends Date {})(), 'value', 'an instance of Day'],
    ['a cycle', { tree: cyclic }, 'value.tree.children[1].parent', 'contains it'],
    ['an accessor', accessor, 'value.list[0].name', 'accessor'],
    ['a hidden property', { deep: hidden }, 'value.deep', 'not enumerable'],
    ['a named property of an array', { match }, 'value.match.index', 'named property of an array'],
    ['inside a map value', new Map([['k', Owner]]), 'value.get(k)', 'Owner'],
    ['inside a map key', new Map([[{ a: Owner }, 1]]), 'value.keys().a', 'Owner'],
    ['inside a set', new Set([[Owner]]), 'value.values()[0]', 'Owner'],
    ['in a hole', Object.assign(new Array(3), { 1: Owner }), 'value[1]', 'Owner'],
  ])('%s, with its path', (_, value, path, text) => {
    const error = refusal(value);
    expect(error.path).toBe(path);
    expect(error.code).toBe('SERIALIZATION');
    expect(error.message).toContain(path);
    expect(error.message).toContain(text);
  });

  it('depth: the limit is stored, one more is refused', () => {
    let value: unknown = 1;
    for (let i = 0; i < MAX_DEPTH; i++) value = [value];
    expect(difference(value, roundTrip(value))).toBeUndefined();
    expect(refusal([value]).message).toContain(`deeper than ${MAX_DEPTH}`);
  });

  it('leave the serializer usable', () => {
    refusal({ a: { b: new Owner() } });
    expect(roundTrip({ a: { b: 1 } })).toStrictEqual({ a: { b: 1 } });
  });
});

describe('bytes that are not ours', () => {
  const bytes = serializer.encode([
    { a: 'text that is long enough', b: new Date(5), c: new Map([[1, 2n]]), d: [-0] },
  ]);

  it.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['only a format byte', bytes.subarray(0, 1)],
    ['text', Buffer.from('{"a":1}')],
    ['another format', Buffer.concat([Buffer.from([0x7f]), bytes.subarray(1)])],
    ['trailing bytes', Buffer.concat([bytes, Buffer.from([1])])],
    ['an unknown extension', Buffer.from([0x31, 0xd4, 0x55, 0x00])],
    ['a huge length', Buffer.from([0x31, 0xdd, 0xff, 0xff, 0xff, 0xff])],
  ])('%s is a serialization error', (_, foreign) => {
    expect(() => serializer.decode(foreign)).toThrow(CacheOpsSerializationError);
  });

  it('every truncation is a serialization error', () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(() => serializer.decode(bytes.subarray(0, length))).toThrow(CacheOpsSerializationError);
    }
  });

  it('any bytes are a value or a serialization error, and break nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (noise, escaped) => {
        try {
          serializer.decode(Buffer.concat([Buffer.from([escaped ? 0x32 : 0x31]), noise]));
        } catch (error) {
          if (!(error instanceof CacheOpsSerializationError)) return false;
        }
        return difference([{ a: -0 }], roundTrip([{ a: -0 }])) === undefined;
      }),
      { numRuns: 2000 },
    );
  });
});
