import { CacheOpsConfigError } from '../../../lib/cacheops.errors.js';
import { VersionTokenError, VersionTokens } from '../../../lib/versioning/version-tokens.js';

const OLD = 'the secret of last year';
const NEW = 'the secret of this year';
const FILM = { entity: 'Film', id: 7 };

describe('VersionTokens', () => {
  const tokens = new VersionTokens([NEW]);

  it.each([1, 0, 4_711, 's', '', '3', new Date(0), new Date('2030-01-01T00:00:00.123Z')])(
    'gives back the version it signed, with its type: %p',
    (version) => {
      expect(tokens.verify(FILM, tokens.sign(FILM, version))).toEqual(version);
    },
  );

  it('takes the text of a route for the number of a key', () => {
    expect(tokens.verify({ entity: 'Film', id: '7' }, tokens.sign(FILM, 3))).toBe(3);
    expect(tokens.verify({ entity: 'Film', id: { id: '7' } }, tokens.sign(FILM, 3))).toBe(3);
  });

  it('CC-X05 refuses a token of another row, entity or version', () => {
    const token = tokens.sign(FILM, 3);
    const mac = token.slice(token.indexOf('.'));
    for (const [subject, given] of [
      [{ entity: 'Film', id: 8 }, token],
      [{ entity: 'Genre', id: 7 }, token],
      [FILM, `4${mac}`],
      [FILM, `03${mac}`],
      [FILM, `t3${mac}`],
      [{ entity: 'Film', id: { a: 7, b: 7 } }, token],
    ] as const) {
      expect(() => tokens.verify(subject, given)).toThrow(VersionTokenError);
    }
  });

  it('keeps parts of a composite key apart', () => {
    const token = tokens.sign({ entity: 'Line', id: { order: 'a', line: 'b&order=c' } }, 1);
    expect(() => tokens.verify({ entity: 'Line', id: { order: 'c', line: 'b' } }, token)).toThrow();
    expect(tokens.verify({ entity: 'Line', id: { line: 'b&order=c', order: 'a' } }, token)).toBe(1);
  });

  it('CC-045 refuses an unsigned, altered, lengthened, empty or missing token', () => {
    const token = tokens.sign(FILM, 3);
    for (const given of [
      '3',
      '3.',
      `${token}=`,
      `${token} `,
      token.slice(0, -1),
      '',
      undefined,
      null,
      3,
      [token],
    ]) {
      expect(() => tokens.verify(FILM, given)).toThrow(expect.objectContaining({ code: 'VERSION_TOKEN' }));
    }
  });

  it('rotates: the first secret signs, all of them verify, a dropped one no longer does', () => {
    const before = new VersionTokens([OLD]).sign(FILM, 3);
    const both = new VersionTokens([NEW, OLD]);
    expect(both.verify(FILM, before)).toBe(3);
    expect(tokens.verify(FILM, both.sign(FILM, 3))).toBe(3);
    expect(() => tokens.verify(FILM, before)).toThrow(VersionTokenError);
  });

  it('does not show secrets when it refuses them', () => {
    expect(() => new VersionTokens([])).toThrow(CacheOpsConfigError);
    expect(() => new VersionTokens(['short'])).toThrow(/secret of at least 16 characters/);
    expect(() => new VersionTokens([NEW, 'hunter2'])).not.toThrow(/hunter2/);
  });
});
