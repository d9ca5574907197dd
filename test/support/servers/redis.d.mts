import type { Server } from './find.mjs';

export const redis: Server;
