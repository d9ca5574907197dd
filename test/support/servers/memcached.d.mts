import type { Server } from './find.mjs';

export const memcached: Server;
