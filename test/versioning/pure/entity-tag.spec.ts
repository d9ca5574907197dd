import fc from 'fast-check';
import { opaqueOf, parseTagCondition, strongTag, versionIn } from '../../../lib/interceptors/entity-tag.js';
import {
  failedCondition,
  MalformedCondition,
  preconditionsOf,
} from '../../../lib/interceptors/preconditions.js';

const strong = (opaque: string) => ({ weak: false, opaque });

describe('entity tags (RFC 9110, 8.8.3)', () => {
  it.each([
    ['*', '*'],
    [' * ', '*'],
    ['"a"', [strong('a')]],
    ['""', [strong('')]],
    ['W/"a"', [{ weak: true, opaque: 'a' }]],
    ['"a", "b"', [strong('a'), strong('b')]],
    ['"a","b"\t,  W/"c"', [strong('a'), strong('b'), { weak: true, opaque: 'c' }]],
    ['"a,b"', [strong('a,b')]],
    [', "a",, "b" ,', [strong('a'), strong('b')]],
    ['"W/"', [strong('W/')]],
    ['"caf\xe9"', [strong('caf\xe9')]],
  ])('reads %s', (header, expected) => {
    expect(parseTagCondition(header)).toEqual(expected);
  });

  it.each([
    '',
    ',',
    'a',
    '"a',
    'a"',
    "'a'",
    'w/"a"',
    'W/ "a"',
    '"a" "b"',
    '"a"b',
    '*, "a"',
    '"a", *',
    '"a b"',
    '"\x7f"',
  ])('takes %j for malformed', (header) => {
    expect(parseTagCondition(header)).toBeUndefined();
  });

  it('gives back the version of the row that a tag was made for, and of no other', () => {
    const version = fc.oneof(fc.nat(), fc.string(), fc.date({ noInvalidDate: true }));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.integer()), version, fc.string(), (id, made, other) => {
        const opaque = opaqueOf(id, made);
        expect(parseTagCondition(strongTag(opaque))).toEqual([strong(opaque)]);
        expect(versionIn(opaque, id)).toEqual(made);
        if (other !== String(id)) expect(versionIn(opaque, other)).toBeUndefined();
      }),
    );
  });
});

describe('preconditions (RFC 9110, 13.1 and 13.2.2)', () => {
  const current = { id: 7, version: 3 };
  const failed = (headers: Record<string, string | string[]>, row: typeof current | undefined = current) => {
    const conditions = preconditionsOf(headers);
    if (conditions instanceof MalformedCondition) return conditions.header;
    return failedCondition(conditions, row);
  };

  it.each<[string, Record<string, string | string[]>, typeof current | undefined, string | undefined]>([
    ['no condition', {}, current, undefined],
    ['the current tag', { 'if-match': '"7:3"' }, current, undefined],
    ['the current tag among others', { 'if-match': '"7:2", "7:3"' }, current, undefined],
    ['the current tag in the second line', { 'if-match': ['"7:2"', '"7:3"'] }, current, undefined],
    ['an old tag', { 'if-match': '"7:2"' }, current, 'If-Match'],
    ['the tag of another row', { 'if-match': '"8:3"' }, current, 'If-Match'],
    ['a weak tag never matches', { 'if-match': 'W/"7:3"' }, current, 'If-Match'],
    ['any, and there is one', { 'if-match': '*' }, current, undefined],
    ['any, and there is none', { 'if-match': '*' }, undefined, 'If-Match'],
    ['a tag, and there is none', { 'if-match': '"7:3"' }, undefined, 'If-Match'],
    ['none, and there is one', { 'if-none-match': '*' }, current, 'If-None-Match'],
    ['none, and there is none', { 'if-none-match': '*' }, undefined, undefined],
    ['not this one', { 'if-none-match': '"7:3"' }, current, 'If-None-Match'],
    ['not this one, weakly', { 'if-none-match': 'W/"7:3"' }, current, 'If-None-Match'],
    ['not another one', { 'if-none-match': '"7:2"' }, current, undefined],
    ['both fail: If-Match is first', { 'if-match': '"7:2"', 'if-none-match': '*' }, current, 'If-Match'],
  ])('%s', (_name, headers, row, expected) => {
    const conditions = preconditionsOf(headers);
    expect(conditions).not.toBeInstanceOf(MalformedCondition);
    expect(failedCondition(conditions as never, row)).toBe(expected);
  });

  it('names the malformed header', () => {
    expect(failed({ 'if-match': '7:3' })).toBe('If-Match');
    expect(failed({ 'if-none-match': '"' })).toBe('If-None-Match');
  });
});
