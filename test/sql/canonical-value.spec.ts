import fc from 'fast-check';
import { canonicalValue, type ValueClass } from '../../lib/sql/index.js';

const of = (valueClass: ValueClass, value: unknown) => canonicalValue({ name: 'x', valueClass }, value);

describe('canonicalValue', () => {
  it.each<[ValueClass, readonly unknown[], string]>([
    ['integer', [1, 1n, '1', '1.0', ' 1 ', '+1', '01', true, '1e0'], '1'],
    ['integer', [0, -0, '0', '-0', 0n, false, '0.0'], '0'],
    ['integer', [-7, '-7', -7n, '-07.'], '-7'],
    ['integer', ['9007199254740993', 9007199254740993n], '9007199254740993'],
    ['decimal', [1, '1.0', '1.00', '+1', '1e0', 1n, '10e-1'], '1'],
    ['decimal', [0.1, '.1', '0.10', '1E-1'], '0.1'],
    ['decimal', [0, -0, '0.00', '-0.0', '0e9', '.0'], '0'],
    ['decimal', ['-1.50', -1.5], '-1.5'],
    ['decimal', [1200, '1.2e3', '01200'], '1200'],
    ['boolean', [true, 1, 1n, '1', 't', 'TRUE', ' true ', 'yes', Buffer.from([1])], '1'],
    ['boolean', [false, 0, 0n, '0', 'f', 'False', 'no', Buffer.from([0])], '0'],
    [
      'uuid',
      [
        '7F1D3C5A-1111-4222-8333-444455556666',
        '7f1d3c5a-1111-4222-8333-444455556666',
        '7f1d3c5a111142228333444455556666',
        '{7f1d3c5a-1111-4222-8333-444455556666}',
        Buffer.from('7f1d3c5a111142228333444455556666', 'hex'),
      ],
      '7f1d3c5a111142228333444455556666',
    ],
    ['date', ['2024-01-15', new Date(2024, 0, 15)], '2024-01-15'],
    ['time', ['10:30', '10:30:00', '10:30:00.000'], '10:30:00'],
    ['time', ['10:30:05.500', '10:30:05.5'], '10:30:05.5'],
    [
      'timestamp',
      [new Date('2024-01-15T12:00:00.000Z'), new Date('2024-01-15T13:00:00.000+01:00')],
      '2024-01-15T12:00:00.000Z',
    ],
    ['text', ['a b '], 'a b '],
    ['folded-text', ['Ab', 'AB ', 'ab  '], 'ab'],
  ])('%s: %p is %p', (valueClass, values, text) => {
    expect(values.map((value) => of(valueClass, value))).toEqual(values.map(() => text));
  });

  it.each<[ValueClass, readonly unknown[]]>([
    ['integer', [1.5, '1.5', 'x', '1x', '', NaN, Infinity, 2 ** 53, [], {}, undefined, new Date()]],
    ['decimal', ['x', '', '.', '1.2.3', NaN, Infinity, 'NaN', '1234567890.1234567', '1e400', {}, undefined]],
    [
      'boolean',
      [2, 'x', '', (null as unknown) === 1, NaN, Buffer.from([1, 1]), [], {}, undefined].filter(
        (v) => v !== false,
      ),
    ],
    ['uuid', ['x', '', 1, '7f1d3c5a', Buffer.from([1]), undefined]],
    [
      'date',
      ['2024-1-5', '2024-01-15 00:00:00', new Date(2024, 0, 15, 1), new Date(NaN), 20240115, undefined],
    ],
    ['time', ['25:00', '10', '1:00', '10:00:00+02', '-10:00:00', 10, undefined]],
    ['timestamp', ['2024-01-15T12:00:00.000Z', '2024-01-15 12:00:00', 0, new Date(NaN), undefined]],
    ['text', [1, true, Buffer.from('a'), undefined]],
    ['padded-text', [1, true, Buffer.from('a'), undefined]],
    ['folded-text', ['é', 'a\n', 'a\t', 'ß', 1, undefined]],
    ['opaque', [1, 'a', {}, undefined]],
  ])('%s: nothing is vouched for of %p', (valueClass, values) => {
    expect(values.map((value) => of(valueClass, value))).toEqual(values.map(() => undefined));
  });

  it('NULL is null whatever the column', () => {
    expect(
      (['integer', 'text', 'timestamp', 'opaque'] as const).map((valueClass) => of(valueClass, null)),
    ).toEqual([null, null, null, null]);
  });

  it('does not vouch for a Date near a change of the clocks', () => {
    const changes = [];
    for (let day = Date.UTC(2024, 0, 3); day < Date.UTC(2025, 0, 1); day += 3_600_000) {
      const before = new Date(day - 3_600_000).getTimezoneOffset();
      if (before !== new Date(day).getTimezoneOffset()) changes.push(new Date(day));
    }
    expect(changes.map((date) => of('timestamp', date))).toEqual(changes.map(() => undefined));
  });

  it('different integers never share a text, equal ones always do', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n }),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n }),
        (a, b) => {
          expect(of('integer', a) === of('integer', String(b))).toBe(a === b);
        },
      ),
    );
  });

  it('a decimal and the number it is written as share a text', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: 1e9 }), fc.integer({ min: 0, max: 5 }), (units, scale) => {
        const number = units / 10 ** scale;
        expect(of('decimal', number)).toBe(of('decimal', number.toFixed(scale)));
        expect(of('decimal', number)).toBe(of('decimal', `${units}e-${scale}`));
      }),
    );
  });
});
