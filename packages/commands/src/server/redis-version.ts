/** The version that HELLO and INFO name: clients switch features on by it, so it says 8.x only when the command set does. */
export const REDIS_VERSION = "8.10.0";
