import { findServers, stopServers } from './find.mjs';

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** Jest calls this once per run, and only when a selected spec belongs to the project that needs servers. */
export default async function globalSetup() {
  for (const [signal, number] of Object.entries(SIGNALS))
    process.once(signal, () => process.exit(128 + number));
  try {
    await findServers();
  } catch (error) {
    await stopServers();
    throw error;
  }
}
