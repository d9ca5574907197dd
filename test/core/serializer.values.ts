import fc from 'fast-check';

function holes(): unknown[] {
  const array: unknown[] = ['a'];
  array[3] = -0;
  array.length = 6;
  return array;
}

function globalRegExp(): RegExp {
  const regexp = /a(b)\/\ud800/gu;
  regexp.lastIndex = 2;
  return regexp;
}

const nullObject = (entries: object): unknown => Object.assign(Object.create(null) as object, entries);

/** Values that one codec or another is known to change. */
export const EXACT_VALUES: Readonly<Record<string, unknown>> = {
  undefined,
  null: null,
  booleans: [true, false],
  'undefined inside': [undefined, { a: undefined, b: [undefined] }],
  numbers: [
    0,
    -0,
    NaN,
    Infinity,
    -Infinity,
    0.1,
    1e21,
    2 ** 31,
    -(2 ** 31) - 1,
    2 ** 32,
    Number.MAX_SAFE_INTEGER,
  ],
  'number edges': [
    31, 32, 63, 64, 127, 128, 255, 256, 65535, 65536, -32, -33, -128, -129, -32768, -32769, 5e-324,
  ],
  'negative zero at the top': -0,
  'negative zero in places': { a: -0, b: [-0], c: new Map([[-1, -0]]), d: { e: { f: -0 } } },
  bigints: [
    0n,
    5n,
    -5n,
    2n ** 63n,
    -(2n ** 63n),
    -(2n ** 63n) - 1n,
    2n ** 64n,
    2n ** 64n - 1n,
    -(3n ** 500n),
    7n ** 999n,
  ],
  strings: ['', 'é', '🙂', '\u0000', '\ufeff', '\u2028', 'x'.repeat(70_000), '🙂é'.repeat(9_000)],
  'lone surrogates': ['\ud800', 'a\udc00b', { '\ud800': '\udfff' }, '\ud83d'.repeat(100)],
  dates: [
    new Date(0),
    new Date(1),
    new Date(-1),
    new Date(1.7e12 + 123),
    new Date(8.64e15),
    new Date(-8.64e15),
  ],
  'dates around the integers of MessagePack': [
    new Date(4294967295999),
    new Date(4294967296001),
    new Date(-62135596800001),
  ],
  'invalid date': new Date(NaN),
  bytes: {
    buffer: Buffer.from('abc'),
    array: new Uint8Array([1, 2, 3]),
    empty: Buffer.alloc(0),
    big: Buffer.alloc(70_000, 7),
  },
  'typed arrays': [
    new Float64Array([-0, NaN, 1.5]),
    new Int16Array([-1]),
    new BigInt64Array([-1n]),
    new Uint8ClampedArray([300]),
  ],
  'a window of a typed array': new Uint16Array(new Uint16Array([1, 2, 3, 4]).buffer, 2, 2),
  'array buffers': [new Uint8Array([1, 2]).buffer, new DataView(new Uint8Array([9, 8, 7]).buffer, 1, 2)],
  maps: new Map<unknown, unknown>([
    [{ a: 1 }, new Map()],
    ['x', undefined],
    [NaN, new Set([[1]])],
    ['x'.repeat(3), -0],
  ]),
  'big map': new Map(Array.from({ length: 70_000 }, (_, i) => [i, i])),
  sets: [new Set(), new Set([1, 'a', new Date(5), -1n]), new Set(['\ud800'])],
  regexps: [/a/, globalRegExp()],
  holes: [holes(), [, 1], [1, ,], new Array(3)],
  'key order': [{ b: 1, a: 2, 10: 3, 9: 4 }, { a: 2, b: 1 }, {}],
  'dangerous keys': JSON.parse(
    '{"a":1,"__proto__":{"polluted":true},"constructor":{"prototype":1},"toString":2}',
  ),
  'keys of the packer': [
    { a: 1, __keys__: 2 },
    { __keys__: { __keys__: [] } },
    { a: 3 },
    { length: 1, hasOwnProperty: 2 },
  ],
  'toJSON as data': { toJSON: 'text', valueOf: 1, then: null },
  'objects without a prototype': [
    nullObject({ a: 1 }),
    nullObject({}),
    { inner: nullObject({ b: nullObject({ c: -0 }) }) },
  ],
  'many shapes': Array.from({ length: 300 }, (_, i) => ({
    [`k${i}`]: i,
    [`k${i % 7}`]: { [`n${i}`]: null },
  })),
  'same shape often': Array.from({ length: 50 }, (_, i) => ({
    id: i,
    name: `row ${i}`,
    at: new Date(i * 1e9 + 7),
    sub: { x: i },
  })),
  'a dictionary': Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`key:${i}`, i])),
  'what the escape looks like': [[['negative-zero']], ['utf16', Buffer.alloc(2)], { 0: 'class' }],
};

/** Any storable value; `fc.fullUnicode` alone would not make the lone surrogates. */
export function storable(): fc.Arbitrary<unknown> {
  const text = fc.string({
    unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
  });
  const key = fc.oneof(
    fc.string(),
    text,
    fc.constantFrom('__proto__', '__keys__', 'constructor', '0', 'toJSON'),
  );
  const leaf = fc.oneof(
    fc.constantFrom<unknown>(undefined, null, true, false, -0, NaN),
    fc.integer(),
    fc.double(),
    fc.bigInt(),
    fc.string(),
    fc.string({ minLength: 10, maxLength: 200 }),
    text,
    fc.date({ noInvalidDate: false }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.uint8Array(),
    fc.float64Array(),
    fc.bigInt64Array(),
  );
  return fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      fc.array(tie('value')),
      fc.sparseArray(tie('value')),
      fc.dictionary(key, tie('value')),
      fc.array(fc.tuple(tie('value'), tie('value'))).map((entries) => new Map(entries)),
      fc.array(tie('value')).map((items) => new Set(items)),
    ),
  })).value;
}
