// A recipe's settings, as a form made from its JSON Schema. What the form cannot show is edited as JSON; the server checks all of it.
import { Alert, Checkbox, FileInput, JsonInput, NumberInput, Select, SimpleGrid, TagsInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { errorText } from '@/components/states';
import { keepBlob } from '@/lib/api/datasets';
import type { ConfigProperty, ConfigSchema } from '@/lib/api/types';
import { words } from '@/lib/format';
import css from './config.module.css';

type Config = Record<string, unknown>;

export interface ConfigFormProps {
  schema: ConfigSchema;
  config: Config;
  onChange: (config: Config) => void;
}

export function ConfigForm({ schema, config, onChange }: ConfigFormProps) {
  const simple = Object.entries(schema.properties ?? {}).filter(([, property]) => !isObject(property));
  const nested = Object.entries(schema.properties ?? {}).filter(([, property]) => isObject(property));
  const set = (name: string, value: unknown) => onChange({ ...config, [name]: value });
  return (
    <>
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        {simple.map(([name, property]) =>
          name === 'evaluation_sha256' ? (
            <EvaluationSet key={name} property={property} value={String(config[name] ?? '')} onChange={(value) => set(name, value)} />
          ) : (
            <Field key={name} name={name} property={property} value={config[name]} onChange={(value) => set(name, value)} />
          ),
        )}
      </SimpleGrid>
      {nested.map(([name, property]) => (
        <fieldset key={name} className={css.group}>
          <legend>{property.title ?? words(name)}</legend>
          <ConfigForm schema={property as ConfigSchema} config={(config[name] ?? {}) as Config} onChange={(value) => set(name, value)} />
        </fieldset>
      ))}
    </>
  );
}

const typesOf = (property: ConfigProperty): string[] => (Array.isArray(property.type) ? property.type : property.type ? [property.type] : []);
const isObject = (property: ConfigProperty): boolean => typesOf(property).includes('object') && 'properties' in property;

interface FieldProps {
  name: string;
  property: ConfigProperty;
  value: unknown;
  onChange: (value: unknown) => void;
}

function Field({ name, property, value, onChange }: FieldProps) {
  const types = typesOf(property);
  const shown = { label: property.title ?? words(name), description: property.description };
  const nullable = types.includes('null');
  if (property.enum) return <Select {...shown} data={property.enum.map(String)} value={value === null || value === undefined ? null : String(value)} onChange={(next) => onChange(next)} allowDeselect={nullable} />;
  if (types.includes('integer') || types.includes('number')) {
    return <NumberInput {...shown} min={property.minimum} max={property.maximum} allowDecimal={!types.includes('integer')} value={(value as number | null) ?? ''} onChange={(next) => onChange(next === '' ? null : Number(next))} />;
  }
  if (types.includes('boolean')) return <Checkbox {...shown} checked={Boolean(value)} onChange={(event) => onChange(event.currentTarget.checked)} />;
  if (types.includes('string')) return <TextInput {...shown} value={(value as string | null) ?? ''} onChange={(event) => onChange(event.currentTarget.value || (nullable ? null : ''))} />;
  const list = Array.isArray(value) ? value : [];
  if (types.includes('array') && list.every((item) => typeof item === 'string')) return <TagsInput {...shown} value={list as string[]} onChange={(next) => onChange(next.length || !nullable ? next : null)} />;
  return <JsonField shown={shown} value={value} onChange={onChange} />;
}

function JsonField({ shown, value, onChange }: { shown: { label: string; description: string | undefined }; value: unknown; onChange: (value: unknown) => void }) {
  const [text, setText] = useState(() => JSON.stringify(value ?? null));
  const change = (next: string) => {
    setText(next);
    try {
      onChange(JSON.parse(next));
    } catch {
      // not JSON yet: the field says so, and what was valid last stays
    }
  };
  return <JsonInput {...shown} value={text} onChange={change} validationError="Not JSON yet." autosize minRows={1} />;
}

/** The held-out set is public: it is uploaded, and the settings name its hash. */
function EvaluationSet({ property, value, onChange }: { property: ConfigProperty; value: string; onChange: (value: string) => void }) {
  const [error, setError] = useState<unknown>(null);
  const [file, setFile] = useState<File | null>(null);
  async function upload(next: File | null) {
    setFile(next);
    setError(null);
    if (!next) return onChange('');
    try {
      const kept = await keepBlob(new Uint8Array(await next.arrayBuffer()));
      onChange(kept.sha256);
    } catch (reason) {
      setFile(null);
      setError(reason);
    }
  }
  return (
    <div>
      <FileInput label={property.title ?? 'Evaluation set'} description="A CSV of held-out rows. It becomes public: everybody can check the result with it." placeholder={value ? `kept: ${value.slice(0, 12)}…` : 'Choose a CSV'} accept=".csv,text/csv" value={file} onChange={(next) => void upload(next)} clearable />
      {error !== null && (
        <Alert color="red" variant="light" role="alert" mt="xs">
          {errorText(error)}
        </Alert>
      )}
    </div>
  );
}
