import type { Editing } from './edit.service.js';
import { FIELDS, type FieldErrors, type FieldName, type FormField, type FormValues } from './form-fields.js';
import { html, type Html } from './html.js';
import { layout } from './layout.js';

/** What the page says above the form. */
export interface EditNotices {
  readonly saved?: boolean;
  /** Fields that others had changed meanwhile, and that kept their values. */
  readonly kept?: readonly FieldName[];
  readonly errors?: FieldErrors;
}

/**
 * The form.
 * @param base the values that the edit began with
 */
export function editPage(editing: Editing, base: FormValues, notices: EditNotices = {}): string {
  const { errors = {} } = notices;
  const title = editing.values.title || `Film ${editing.id}`;
  return layout(
    `Edit ${title}`,
    html`<h1>${title}</h1>
      <p class="lead">Others can edit this film at the same time. Nobody's changes get lost.</p>
      ${savedNotice(notices)} ${errorNotice(errors)}
      <form method="post" class="card" novalidate>
        ${hiddenInputs(editing, base)}
        <div class="grid">${FIELDS.map((field) => input(field, editing, errors[field.name]))}</div>
        <div class="actions"><button>Save</button></div>
      </form>`,
  );
}

/** What goes back unchanged: which version the edit was made on, and what it was like. */
export const hiddenInputs = ({ token }: Editing, base: FormValues): Html =>
  html`<input type="hidden" name="token" value="${token}" />
    <input type="hidden" name="base" value="${JSON.stringify(base)}" />`;

export const labelOf = (name: FieldName): string =>
  FIELDS.find((field) => field.name === name)?.label ?? name;

function savedNotice({ saved, kept = [] }: EditNotices): Html | false {
  if (!saved) return false;
  const others = html`<p>
    Somebody else had changed ${kept.map(labelOf).join(', ')} while you were editing. Their changes were kept.
  </p>`;
  return html`<div class="notice good" role="status">
    <strong>Saved.</strong>${kept.length > 0 && others}
  </div>`;
}

function errorNotice(errors: FieldErrors): Html | false {
  const names = Object.keys(errors) as FieldName[];
  if (names.length === 0) return false;
  return html`<div class="notice bad" role="alert">
    <strong>Nothing was saved yet.</strong>
    <p>Please correct ${names.map(labelOf).join(', ')}.</p>
  </div>`;
}

function input(field: FormField, editing: Editing, error: string | undefined): Html {
  const { name, label, hint } = field;
  const describedBy = [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(' ');
  const attributes = html`id="${name}" name="${name}" ${error && html`aria-invalid="true"`}
  ${describedBy && html`aria-describedby="${describedBy}"`}`;
  return html`<div class="${name === 'title' ? 'wide' : ''}">
    <label for="${name}">${label}</label> ${hint && html`<span class="hint" id="${name}-hint">${hint}</span>`}
    ${field.input === 'select' ? select(name, editing, attributes) : plain(field, editing.values[name], attributes)}
    ${error && html`<p class="error" id="${name}-error">${error}</p>`}
  </div>`;
}

function plain({ input: type, attributes = {} }: FormField, value: string, common: Html): Html {
  const more = Object.entries(attributes).map(([key, text]) => html` ${key}="${text}"`);
  return html`<input type="${type}" ${common} value="${value}" ${more} />`;
}

function select(name: FieldName, { choices, values }: Editing, common: Html): Html {
  const options = name === 'genre' ? choices.genre : choices.rating;
  const option = (value: string): Html =>
    html`<option value="${value}" ${value === values[name] && html`selected`}>${value || 'none'}</option>`;
  return html`<select ${common}>
    ${['', ...options].map(option)}
  </select>`;
}
