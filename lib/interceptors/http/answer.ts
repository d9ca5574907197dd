import type { CallPlan } from '../../service/call-plan.js';
import { matchesWeakly, parseTagCondition } from '../entity-tag.js';
import type { Exchange } from './exchange.js';
import { joinedNames } from './response-headers.js';
import type { HeaderValue, StoredResponse } from './stored-response.js';

/** Where a response came from: another process or the backend, this process, the handler; or the cache had no part in it. */
export type Outcome = 'hit' | 'near' | 'miss' | 'bypass';

const OUTCOME = 'X-CacheOps';
const NOT_MODIFIED = 304;

/** Gives stored responses to those who ask. */
export class Answer {
  private readonly vary: string | undefined;
  private readonly control: string;

  /** @param tells whether responses say where they came from */
  constructor(
    { vary }: CallPlan,
    private readonly tells: boolean,
  ) {
    this.vary = joinedNames(vary.headers);
    // What a browser or a proxy keeps cannot be invalidated from here: it has to ask each time, and is told 304.
    this.control = vary.isPersonal ? 'private, no-cache' : 'no-cache';
  }

  /**
   * @param isSeen whether others than Nest see what is returned
   * @returns what Nest is to make the response of
   */
  give(stored: StoredResponse, exchange: Exchange, outcome: Outcome, isSeen: boolean): unknown {
    const isKnown = isNamed(stored, exchange);
    let varyToo: HeaderValue | undefined;
    for (const [name, value] of stored.headers) {
      if (name === 'vary') varyToo = value;
      else if (!isKnown || !name.startsWith('content-')) exchange.setHeader(name, value);
    }
    if (stored.tag !== undefined) exchange.setHeader('ETag', stored.tag);
    const vary = this.varyBeside(exchange.header('Vary'), varyToo);
    if (vary !== undefined) exchange.setHeader('Vary', vary);
    if (exchange.header('Cache-Control') === undefined) exchange.setHeader('Cache-Control', this.control);
    if (outcome !== 'miss') exchange.setHeader('Age', String(ageOf(stored)));
    this.tell(exchange, outcome);
    exchange.status = isKnown ? NOT_MODIFIED : stored.status;
    if (isKnown) return undefined;
    if (stored.text) return exchange.textOf(stored.text, isSeen);
    return stored.ingredient ? stored.ingredient.value : stored.body;
  }

  private varyBeside(set: HeaderValue | undefined, kept: HeaderValue | undefined): string | undefined {
    return set === undefined && kept === undefined ? this.vary : joinedNames(set, this.vary, kept);
  }

  tell(exchange: Exchange, outcome: Outcome): void {
    if (this.tells) exchange.setHeader(OUTCOME, outcome);
  }
}

/** Whole seconds. */
const ageOf = ({ at }: StoredResponse): number => Math.max(0, Math.floor((Date.now() - at) / 1000));

/** Whether the request names the response as one that it has (RFC 9110, section 13.1.2). */
function isNamed({ tag, status, ingredient }: StoredResponse, { request }: Exchange): boolean {
  const header = request.headers['if-none-match'];
  if (header === undefined || tag === undefined || ingredient || status >= 300) return false;
  const condition = parseTagCondition(typeof header === 'string' ? header : header.join(', '));
  return condition !== undefined && matchesWeakly(condition, tag.replace(/^W\//, '').slice(1, -1));
}
