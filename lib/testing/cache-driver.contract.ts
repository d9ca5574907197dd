import { deleteContract, readContract, writeContract } from './cache-driver/entries.contract.js';
import { expireContract } from './cache-driver/expire.contract.js';
import { type CacheDriverSubject, Harness } from './cache-driver/harness.js';
import { leaseContract } from './cache-driver/lease.contract.js';
import { pinContract, refusalContract, shapesContract } from './cache-driver/pin.contract.js';
import { generalContract, registriesContract, restampContract } from './cache-driver/upkeep.contract.js';
import { pendContract, settleContract, settleTablesContract } from './cache-driver/writers.contract.js';
import { testGlobals } from './globals.js';

export type { CacheDriverSubject };

export interface CacheDriverContract {
  /** Called before each test. */
  create(): Promise<CacheDriverSubject>;
}

const PARTS = [
  readContract,
  writeContract,
  deleteContract,
  pinContract,
  shapesContract,
  refusalContract,
  pendContract,
  settleContract,
  settleTablesContract,
  restampContract,
  expireContract,
  leaseContract,
  registriesContract,
  generalContract,
];

/**
 * Declares the tests that every `CacheDriver` has to pass: each sentence of the port's documentation is one of them.
 * Call it at the top of a spec file, with the global functions of Jest or Vitest in place.
 */
export function cacheDriverContract(name: string, contract: CacheDriverContract): void {
  const { describe, beforeEach, afterEach } = testGlobals();
  describe(`CacheDriver contract: ${name}`, () => {
    const harness = new Harness();
    beforeEach(() => harness.begin(() => contract.create()));
    afterEach(() => harness.end());
    for (const declare of PARTS) declare(harness);
  });
}
