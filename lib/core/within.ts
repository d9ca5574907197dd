/** The result of `work`, or what `late` says when it takes longer than `ms` milliseconds. */
export function within<T, L>(work: Promise<T>, ms: number, late: () => L): Promise<T | L> {
  return new Promise<T | L>((resolve, reject) => {
    const timer = setTimeout(() => void Promise.resolve().then(late).then(resolve, reject), ms);
    timer.unref();
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
