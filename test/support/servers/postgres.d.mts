import type { Server } from './find.mjs';

export const postgres: Server;
