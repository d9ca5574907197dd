import type { CallPlan } from '../../service/call-plan.js';
import { matchesWeakly, parseTagCondition } from '../entity-tag.js';
import type { Exchange } from './exchange.js';
import { joinedNames } from './response-headers.js';
import type { HeaderValue, StoredResponse } from './stored-response.js';

/** Where a response came from: another process or the backend, this process, the handler; or the cache had no part in it. */
export type Outcome = 'hit' | 'near' | 'miss' | 'bypass';

const OUTCOME = 'X-CacheOps';
const NOT_MODIFIED = 304;

/** What a stored response says to all who are sent it. */
interface Said {
  readonly headers: StoredResponse['headers'];
  /** What it says of `Vary` itself. */
  readonly varyToo: HeaderValue | undefined;
  /** That and what the route varies by. */
  readonly vary: string | undefined;
}

/** Gives stored responses to those who ask. */
export class Answer {
  private readonly vary: string | undefined;
  private readonly control: string;
  /** Of responses that are kept in this process and given many times. */
  private readonly said = new WeakMap<StoredResponse, Said>();

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
    const { headers, varyToo, vary } = outcome === 'near' ? this.saidAgain(stored) : this.saidBy(stored);
    for (const [name, value] of headers) {
      if (!isKnown || !name.startsWith('content-')) exchange.setHeader(name, value);
    }
    const set = exchange.header('Vary');
    const joined = set === undefined ? vary : joinedNames(set, this.vary, varyToo);
    if (joined !== undefined) exchange.setHeader('Vary', joined);
    if (exchange.header('Cache-Control') === undefined) exchange.setHeader('Cache-Control', this.control);
    if (outcome !== 'miss') exchange.setHeader('Age', String(ageOf(stored)));
    this.tell(exchange, outcome);
    exchange.status = isKnown ? NOT_MODIFIED : stored.status;
    if (isKnown) return undefined;
    if (stored.text) return exchange.textOf(stored.text, isSeen);
    return stored.ingredient ? stored.ingredient.value : stored.body;
  }

  private saidAgain(stored: StoredResponse): Said {
    let said = this.said.get(stored);
    if (said === undefined) this.said.set(stored, (said = this.saidBy(stored)));
    return said;
  }

  private saidBy({ headers, tag }: StoredResponse): Said {
    const varyToo = headers.find(([name]) => name === 'vary')?.[1];
    const others = varyToo === undefined ? headers : headers.filter(([name]) => name !== 'vary');
    return {
      headers: tag === undefined ? others : [...others, ['ETag', tag]],
      varyToo,
      vary: varyToo === undefined ? this.vary : joinedNames(this.vary, varyToo),
    };
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
