import { createHmac, timingSafeEqual } from 'node:crypto';
import { CacheOpsConfigError, CacheOpsError } from '../cacheops.errors.js';
import type { RecordVersion } from './record-version.js';
import { decodeVersion, encodeVersion, idText } from './version-value.js';

/** A version token that is missing, was altered, or belongs to another row. The conflict filter answers 400. */
export class VersionTokenError extends CacheOpsError {
  constructor(message: string) {
    super('VERSION_TOKEN', message);
  }
}

/** The row that a token belongs to. */
export interface TokenSubject {
  /** Name of the entity; any name, as long as signing and verifying use the same. */
  readonly entity: string;
  /** Value of the primary key, or an object of several. */
  readonly id: unknown;
}

/** Part of what is signed, so that no other use of the same secret can yield a token. */
const PURPOSE = 'nestjs-cacheops/version-token/1';

const SHORTEST_SECRET = 16;

/**
 * Signed versions for the hidden field of a form: what comes back is the version that this server put into the form
 * of this row. A token of another row, entity or version does not verify (HMAC-SHA-256, compared in constant time).
 */
export class VersionTokens {
  private readonly secrets: readonly [string, ...string[]];

  /**
   * @param secrets of at least 16 characters: the first one signs, all of them verify. To change the secret, put the
   * new one in front, and drop the old one when the last form that was made with it is stale.
   * @throws CacheOpsConfigError when there is none, or one is too short
   */
  constructor(secrets: readonly string[]) {
    const [first, ...others] = secrets;
    const isShort = (secret: unknown): boolean =>
      typeof secret !== 'string' || secret.length < SHORTEST_SECRET;
    if (first === undefined || secrets.some(isShort)) {
      // The message must not tell what a secret looks like.
      const given = `${secrets.length} of lengths ${secrets.map((secret) => secret?.length).join(', ')}`;
      throw new CacheOpsConfigError(
        'secrets',
        `a secret of at least ${SHORTEST_SECRET} characters, or several`,
        given,
      );
    }
    this.secrets = [first, ...others];
  }

  sign(subject: TokenSubject, version: RecordVersion): string {
    const text = encodeVersion(version);
    return `${text}.${mac(this.secrets[0], subject, text)}`;
  }

  /**
   * @returns the version that was signed for this row
   * @throws VersionTokenError when the token is missing, was altered, or was signed for another row
   */
  verify(subject: TokenSubject, token: unknown): RecordVersion {
    if (typeof token !== 'string' || token === '')
      throw new VersionTokenError('The version token is missing');
    const dot = token.lastIndexOf('.');
    const text = token.slice(0, Math.max(dot, 0));
    const given = token.slice(dot + 1);
    const version = decodeVersion(text);
    // All secrets are tried: how long it takes tells nothing about which one it was.
    const matches = this.secrets.filter((secret) => isSame(given, mac(secret, subject, text)));
    if (version === undefined || matches.length === 0)
      throw new VersionTokenError('The version token is not one that was given out for this record');
    return version;
  }
}

function mac(secret: string, { entity, id }: TokenSubject, version: string): string {
  const hmac = createHmac('sha256', secret);
  // With their lengths, so that no two lists of parts read the same.
  for (const part of [PURPOSE, entity, idText(id), version])
    hmac.update(`${Buffer.byteLength(part)}:${part}`);
  return hmac.digest('base64url');
}

/** As texts: a lenient decoder would take several texts for one. */
function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
