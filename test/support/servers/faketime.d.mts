export interface FaketimeSteps {
  install?(packages: readonly string[], find: () => string | undefined): string | undefined;
  folders?: readonly string[];
}

export function findFaketime(steps?: FaketimeSteps): string;
