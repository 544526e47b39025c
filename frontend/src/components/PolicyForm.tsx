// Writing a policy: a template, then details, and at every moment what it says in plain words.
import { Alert, MultiSelect, NumberInput, SegmentedControl, Select, SimpleGrid, Stack, TagsInput, Text, TextInput } from '@mantine/core';
import { useRecipes, useWorkers } from '@/lib/api/jobs';
import { useSymbol } from '@/lib/api/network';
import { formatUnits, shorten } from '@/lib/format';
import { inWords, newDraft, TEMPLATES, type PolicyDraft, type PolicyFault } from '@/lib/policy';
import { personThread } from '@/lib/thread';
import css from './policy.module.css';

export interface PolicyFormProps {
  draft: PolicyDraft;
  onChange: (draft: PolicyDraft) => void;
  faults: PolicyFault;
  columns: string[];
}

const PURPOSES = ['research', 'medical research', 'education', 'commercial', 'public benefit'];

export function PolicyForm({ draft, onChange, faults, columns }: PolicyFormProps) {
  const symbol = useSymbol();
  const workers = useWorkers();
  const recipes = useRecipes();
  const set = <K extends keyof PolicyDraft>(name: K, value: PolicyDraft[K]) => onChange({ ...draft, [name]: value });
  const denies = draft.decision === 'Deny';
  return (
    <Stack gap="lg">
      <fieldset className={css.templates}>
        <legend>Start from</legend>
        {TEMPLATES.map((template) => (
          <button key={template.name} type="button" className={css.template} onClick={() => onChange(newDraft(draft.workers, template))}>
            {template.name}
            <small>{template.about}</small>
          </button>
        ))}
      </fieldset>
      <div>
        <Text size="sm" fw={500} mb={4} id="policy-decision">
          A request that fits is
        </Text>
        <SegmentedControl aria-labelledby="policy-decision" value={draft.decision} onChange={(value) => set('decision', value as PolicyDraft['decision'])} data={[{ value: 'AutoApprove', label: 'approved by itself' }, { value: 'Ask', label: 'asked of me' }, { value: 'Deny', label: 'denied' }]} />
      </div>
      {!denies && (
        <>
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            <TagsInput label="Who may ask" description="Principals; empty for anyone" placeholder={draft.audience ? '' : 'anyone'} value={draft.audience ?? []} onChange={(value) => set('audience', value.length ? value : null)} error={faults.audience} clearable />
            <TagsInput label="For which purposes" description="Empty for any" placeholder={draft.purposes ? '' : 'any purpose'} data={PURPOSES} value={draft.purposes ?? []} onChange={(value) => set('purposes', value.length ? value : null)} error={faults.purposes} clearable />
            <MultiSelect label="With which code" description="Empty for any" placeholder={draft.code ? '' : 'any code'} data={recipes.data?.map((recipe) => ({ value: recipe.code_hash, label: recipe.title })) ?? []} value={draft.code ?? []} onChange={(value) => set('code', value.length ? value : null)} error={faults.code} clearable />
            <MultiSelect label="Workers that may be given the key" description="They see the data of the jobs they train" data={workers.data?.map((worker) => ({ value: worker.principal, label: `${worker.name} (${personThread(worker.principal).name})` })) ?? []} value={draft.workers} onChange={(value) => set('workers', value)} error={faults.workers ?? (workers.data?.length === 0 ? 'No worker is registered yet: start one, or deny for now.' : undefined)} />
            <TextInput label="Price of one job" description={`In ${symbol}`} inputMode="decimal" value={draft.price} onChange={(event) => set('price', event.currentTarget.value)} error={faults.price} />
            <NumberInput label="At most so many uses" description="Empty for no limit" min={1} allowDecimal={false} allowNegative={false} value={draft.max_uses === '' ? '' : Number(draft.max_uses)} onChange={(value) => set('max_uses', value === '' ? '' : String(value))} error={faults.max_uses} />
            <TextInput label="Until" description="Empty for no end" type="date" value={draft.expires} onChange={(event) => set('expires', event.currentTarget.value)} error={faults.expires} />
            <TextInput label="Differential privacy" description="Largest epsilon a job must promise; empty if none is asked" inputMode="decimal" value={draft.epsilon} onChange={(event) => set('epsilon', event.currentTarget.value)} error={faults.epsilon} />
            <MultiSelect label="Columns" description="Empty for all" placeholder={draft.columns ? '' : 'all columns'} data={columns} value={draft.columns ?? []} onChange={(value) => set('columns', value.length ? value : null)} error={faults.columns} searchable clearable />
            <Select label="Training" description="Central: the worker opens the data" data={[{ value: 'Central', label: 'Central' }, { value: 'Federated', label: 'Federated only' }, { value: 'Either', label: 'Central or federated' }]} value={draft.compute} onChange={(value) => value && set('compute', value as PolicyDraft['compute'])} allowDeselect={false} />
          </SimpleGrid>
        </>
      )}
      <PolicyInWords draft={draft} />
      {Object.keys(faults).length > 0 && (
        <Alert color="amber" variant="light" title={`${formatUnits(Object.keys(faults).length, 'field')} to mend`}>
          {Object.values(faults).join(' ')}
        </Alert>
      )}
    </Stack>
  );
}

/** The same words wherever a policy is about to be signed. */
export function usePolicyWords(draft: PolicyDraft): string[] {
  const symbol = useSymbol();
  const workers = useWorkers();
  const recipes = useRecipes();
  const named = (principal: string): string => workers.data?.find((worker) => worker.principal === principal)?.name ?? personThread(principal).name;
  const recipe = (hash: string): string => recipes.data?.find((candidate) => candidate.code_hash === hash)?.title ?? `code ${shorten(hash)}`;
  return inWords(draft, symbol, named, recipe);
}

function PolicyInWords({ draft }: { draft: PolicyDraft }) {
  const lines = usePolicyWords(draft);
  return (
    <div className={css.words} aria-live="polite">
      <Text size="sm" fw={600} mb={4}>
        In plain words
      </Text>
      <ul>
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </div>
  );
}
