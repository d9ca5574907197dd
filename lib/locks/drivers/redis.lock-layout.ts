/*
 * Locks in Redis. A name has four keys, which share a hash tag:
 *
 *   l  text   what is usual, in one value: "-<token>..." nobody holds it and nobody waits, the last token was this one;
 *             "x<token><owner> <metadata>" one holds it exclusively and nobody waits; its lease ends KEEP before the key
 *             does. "*": look at the others; it does not expire before they do
 *   h  hash   '!' -> "<owner> <deadline> x <token> <channel> <metadata>" of who holds it exclusively; owner ->
 *             "<deadline> <mode> <token> <channel> <metadata>" of those who hold it otherwise; '#' -> "<last token>
 *             <time at which l and h end, at the earliest>". The channel is there as long as a lease that was handed over
 *             was not heard of again
 *   q  list   owners that stand in line, in the order of arrival
 *   w  hash   owner -> "<deadline> <mode> <limit> <woken> <ttl> <channel> <metadata>" of those in line
 *
 * Who holds or waits for a name is decided by the scripts only, by the clock of the server. Whoever releases a name
 * hands it over: the lease of the first in line begins in the same script, and that one alone is told, by a message on
 * the channel of its process that carries the token. So a name is never free between two holders, and whatever is lost
 * on the way (a message, a reply), asking again as the same owner is right: it finds the lease.
 *
 *   gives up | is handed the name | hears of it     its release ends the lease and hands it on
 *   is handed the name | stands still               the lease runs out; whoever looks next hands it on, and sends all
 *                                                   who listen on that channel to the end of the line
 *   is handed the name | its connection breaks      it asks again, and is told that it has the lease
 *
 * One that waits for several names, or does not listen, or whose death nobody would notice (a Cluster does not tell who
 * has heard a message) has no lease before it asks: a free name is reserved for it for a moment (CLAIM), and it is told
 * to ask. In line stands whoever has not reached its deadline. Those whose process has closed its connection are found
 * out when nobody hears the message. A waiter whose channel is '-' hears nothing and asks from time to time; its
 * deadline is near.
 *
 * Whoever asks for one name exclusively tries a short script first, that knows the first key only, unless somebody of
 * the same process wants the name, too; and lets go of it by another short one, as long as its first lease lasts, so
 * that the script need not look whether it does. Either changes nothing when the name is held or waited for otherwise
 * than in its one value, and then the long script is run.
 *
 * Tokens are the server's time in microseconds, or the last token + 1 if that is more: they rise even when the keys are
 * lost, and when the clock is set back by less than KEEP, for which the last token of a name is remembered. They have
 * 16 digits.
 */
import type { LockMode, LockRequest } from '../lock-driver.interface.js';

export const LETTER: Readonly<Record<LockMode, string>> = { exclusive: 'x', shared: 's', semaphore: 'p' };
export const MODE: Readonly<Record<string, LockMode>> = { x: 'exclusive', s: 'shared', p: 'semaphore' };

/** The channel of somebody who does not listen. */
export const NO_CHANNEL = '-';

/** Milliseconds for which a name is remembered after its last lease. */
export const KEEP = 3_600_000;

/** A name that brings a hash tag of its own keeps it; no other can be taken for one of those. */
export function keysOf(name: string): string[] {
  const tagged = withHashTag(name);
  return [`l:${tagged}`, `h:${tagged}`, `q:${tagged}`, `w:${tagged}`];
}

export const firstKeyOf = (name: string): string => `l:${withHashTag(name)}`;

/** How the first key's value begins while a name is held in the usual way: no other lease's begins like this. */
export const storedFor = ({ owner }: LockRequest, token: string): string => `x${token}${owner} `;

// Most names have no brace, and a regular expression costs more than the look for one.
const withHashTag = (name: string): string =>
  name.includes('{') && /\{[^}]+\}/.test(name) ? `=${name}` : `{:${name}}`;
