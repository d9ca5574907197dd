// Its types are not found by way of its `exports`; so they are in redlock.d.mts.
import Redlock from 'redlock';

export const openRedlock = (client, settings) => new Redlock([client], settings);
