import { causes } from './causes.js';

/** In which transaction an error came up: known to the layer over TypeORM, asked by those who want to try again. */
const transactions = new WeakMap<object, () => boolean>();

/** @param isOpen whether the transaction, or the one around it, is still open */
export function noteTransaction(error: unknown, isOpen: () => boolean): void {
  // The innermost place is the first to see an error, and knows best.
  if (typeof error === 'object' && error !== null && !transactions.has(error))
    transactions.set(error, isOpen);
}

/** Whether the transaction in which an error came up is still open. `false` where that is not known. */
export function isTransactionOpen(error: unknown): boolean {
  return causes(error).some((each) => transactions.get(each)?.() ?? false);
}
