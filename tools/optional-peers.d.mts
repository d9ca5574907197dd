export function optionalPeerLeaks(root: string): string[];
