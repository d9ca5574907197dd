import fc from 'fast-check';
import { KeptValue, nearFrozen, nearValues, primitiveBytes } from '../../lib/core/kept-value.js';
import { createSerializer } from '../../lib/core/serializer.js';

const { encode, decode } = createSerializer();
const decoded = (value: unknown): unknown => decode(encode(value));

/** What JSON holds, and dates. */
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(
      fc.string(),
      fc.integer(),
      fc.double(),
      fc.boolean(),
      fc.constant(null),
      fc.constant(undefined),
      fc.bigInt(),
    ),
    fc.date({ noInvalidDate: true }),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 6, noNullPrototype: true },
    ),
    // Rows of one shape, as results of queries are.
    fc.array(
      fc.record(
        { id: fc.integer(), at: fc.option(fc.date({ noInvalidDate: true })), tags: fc.array(fc.string()) },
        { noNullPrototype: true },
      ),
    ),
  ),
})).value;

/** Every object in a value, in the order in which it is met. */
function objectsIn(value: unknown, found: object[] = []): object[] {
  if (typeof value === 'object' && value !== null) {
    found.push(value);
    for (const inner of Object.values(value)) objectsIn(inner, found);
  }
  return found;
}

it('hands out copies that are equal and share no object, neither with what is kept nor with each other', () => {
  fc.assert(
    fc.property(values, (value) => {
      const original = decoded(value);
      const kept = KeptValue.of(original);
      if (kept === undefined) throw new Error('not kept');
      const copies = [kept.copy(), kept.copy()];
      for (const copy of copies) expect(copy).toStrictEqual(decoded(value));
      const all = [original, ...copies].flatMap((each) => objectsIn(each));
      expect(new Set(all).size).toBe(all.length);
    }),
  );
});

it('hands out frozen what can be frozen, and copies of the rest', () => {
  fc.assert(
    fc.property(values, (value) => {
      const kept = KeptValue.of(decoded(value));
      const [one, other] = [kept?.shared(), kept?.shared()];
      expect(one).toStrictEqual(decoded(value));
      const objects = objectsIn(one);
      if (objects.some((object) => object instanceof Date)) {
        expect(new Set([...objects, ...objectsIn(other)]).size).toBe(2 * objects.length);
      } else {
        expect(other).toBe(one);
        expect(objects.every((object) => Object.isFrozen(object))).toBe(true);
      }
      for (const object of objectsIn(kept?.copy())) {
        if (Object.keys(object).length > 0) expect(Object.isFrozen(object)).toBe(false);
      }
    }),
  );
});

it('promises a frozen value only to those who may share it', async () => {
  const payload = encode({ a: [1] });
  const [own, shared] = [nearValues(decode), nearFrozen(decode)];
  const form = shared.open(payload) as KeptValue;
  const answer = shared.answer?.(form);
  expect(shared.answer?.(form)).toBe(answer);
  expect(await answer).toBe(form.shared());
  // Frozen by then: what has no members alone could be told from it.
  expect(own.answer?.(form)).toBeUndefined();
  expect(Object.isFrozen(own.make(form))).toBe(false);
});

it('promises a text to all, and what holds a date to nobody', async () => {
  const text = KeptValue.of('x') as KeptValue;
  expect(await Promise.all([text.copied(), text.sharing()])).toEqual(['x', 'x']);
  const dated = KeptValue.of({ at: new Date(0) }) as KeptValue;
  expect([dated.copied(), dated.sharing(), dated.sharing()]).toEqual([undefined, undefined, undefined]);
});

it.each([
  ['a map', new Map([[1, 2]])],
  ['a set', new Set([1])],
  ['bytes', Buffer.from('x')],
  ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 })],
  ['a regular expression', /x/],
  ['something of these deep inside', { a: [{ b: new Set() }] }],
])('does not keep %s', (_, value) => {
  expect(KeptValue.of(decoded(value))).toBeUndefined();
});

it('does not keep an object that would change its prototype when it is copied', () => {
  const value: unknown = JSON.parse('{"a":{"__proto__":{"x":1}}}');
  expect(KeptValue.of(value)).toBeUndefined();
});

it('copies an invalid date', () => {
  const copy = KeptValue.of([new Date(NaN)])?.copy() as Date[];
  expect(copy[0]?.getTime()).toBeNaN();
});

it('keeps arrays with holes as they are', () => {
  const value = [, { a: 1 }, , undefined];
  expect(KeptValue.of(value)?.copy()).toStrictEqual([, { a: 1 }, , undefined]);
});

it('copies objects of a list that are not of one shape', () => {
  const value = [{ a: new Date(1) }, { a: 1, b: [{}] }, 'x', { a: new Date(2) }, null];
  expect(KeptValue.of(value)?.copy()).toStrictEqual(value);
});

it('counts two bytes a character where one is not enough', () => {
  expect(primitiveBytes('ä'.repeat(100)) - primitiveBytes('')).toBe(100);
  expect(primitiveBytes('€'.repeat(100)) - primitiveBytes('')).toBe(200);
});
