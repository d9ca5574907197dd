import { Injectable } from '@nestjs/common';
import { VersionedCache } from 'nestjs-cacheops';

@Injectable()
export class Menu {
  constructor(private readonly versions: VersionedCache) {}

  async html(shop: number, render: () => Promise<string>): Promise<string> {
    const version = await this.versions.getSum(['menu', `shop ${shop}`]);
    const key = `menu of ${shop}`;
    const stored = await this.versions.getVersioned<string>(key, version);
    if (stored !== undefined) return stored;
    const html = await render();
    await this.versions.setVersioned(key, html, version, { ttl: '1d' });
    return html;
  }

  /** Of one shop. */
  changed(shop: number): Promise<void> {
    return this.versions.incr(`shop ${shop}`);
  }

  /** Of all shops: one command, however many there are. */
  allChanged(): Promise<void> {
    return this.versions.incr('menu');
  }
}
