export { CACHE_OPS } from '../core/profile.js';
export { dialectOf } from './catalog.js';
