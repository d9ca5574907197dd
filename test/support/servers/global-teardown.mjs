import { stopServers } from './find.mjs';

export default stopServers;
