import { Injectable } from '@nestjs/common';
import { NunjucksCache } from 'nestjs-cacheops/nunjucks';
import nunjucks from 'nunjucks';

const PAGE = `
{% cached_as none, '15m', 'prices', shop %}
<ul>
  {% for price in prices() | await %}
  <li>{{ price.name }}: {{ price.amount }}</li>
  {% endfor %}
</ul>
{% endcached_as %}`;

@Injectable()
export class Shops {
  private readonly environment: nunjucks.Environment;

  constructor(private readonly templates: NunjucksCache) {
    // A fragment for each customer, and none for guests.
    templates.decoratorTag('mine', (user?: { id: number }) =>
      user ? templates.cached({ name: 'mine', extra: [user.id], ttl: '5m' }) : ({ render }) => render(),
    );
    this.environment = templates.install(new nunjucks.Environment(null, { autoescape: true }));
  }

  /** @param prices is called when the fragment has to be rendered, and its queries are what the fragment depends on */
  page(shop: number, prices: () => Promise<readonly { name: string; amount: number }[]>): Promise<string> {
    return this.templates.renderString(this.environment, PAGE, { shop, prices });
  }

  greeting(user?: { id: number; name: string }): Promise<string> {
    const text = `{% mine user %}Hello, {{ user.name or 'guest' }}{% endmine %}`;
    return this.templates.renderString(this.environment, text, { user });
  }
}
