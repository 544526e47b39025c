// Registering a dataset, step by step: drop a file, describe it, say what it may be used for, review and sign.
import { Alert, Button, Group, Stack, Stepper, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { PageHead, Section } from '@/components/layout';
import { PolicyForm, usePolicyWords } from '@/components/PolicyForm';
import { useReview } from '@/components/ReviewSheet';
import { SaveKeyFile } from '@/components/SaveKeyFile';
import { useWorkers } from '@/lib/api/jobs';
import type { DatasetCard, Profile } from '@/lib/api/types';
import { formatBytes, formatUnits } from '@/lib/format';
import { usePrincipal } from '@/lib/identity/session';
import { faults, newDraft, type PolicyDraft } from '@/lib/policy';
import { mockOf, withoutStatistics } from '@/lib/profile/profile';
import { CardForm, cardFaults, emptyCard } from './CardForm';
import { draftsOf, type RegistrationDraft } from './draft';
import { FileStep } from './FileStep';
import { PublicPreview } from './PublicPreview';
import { registrationSteps } from './steps';
import { Unfinished } from './Unfinished';

interface Chosen {
  file: File;
  profile: Profile;
}

export function RegisterPage() {
  const me = usePrincipal();
  const workers = useWorkers();
  const unfinished = useQuery({ queryKey: ['registration-drafts', me], queryFn: () => draftsOf(me ?? ''), enabled: me !== null, staleTime: 0 });
  const [step, setStep] = useState(0);
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const [card, setCard] = useState<DatasetCard>(emptyCard);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [policy, setPolicy] = useState<PolicyDraft | null>(null);
  const draft = policy ?? newDraft(workers.data?.map((worker) => worker.principal) ?? []);
  const register = useRegister();

  const take = (file: File, profile: Profile) => {
    setChosen({ file, profile });
    setHidden(new Set());
    setCard((before) => ({ ...before, title: before.title || titleOf(file.name), target: null }));
    setStep(1);
  };

  return (
    <>
      <PageHead title="Register a dataset" lead="It is described and encrypted in this browser. What leaves it is ciphertext, and the public description you see before you sign." />
      {step === 0 && unfinished.data?.map((one) => <Unfinished key={one.manifest_hash} draft={one} onGo={(file) => void register.go(file, one)} onForgotten={() => void unfinished.refetch()} />)}
      <Stepper active={step} onStepClick={(next) => next < step && setStep(next)} size="sm" mb="lg">
        <Stepper.Step label="File" />
        <Stepper.Step label="Description" />
        <Stepper.Step label="Policy" />
        <Stepper.Step label="Review and sign" />
      </Stepper>
      {step === 0 && <FileStep onProfile={take} />}
      {chosen && step === 1 && <Describe chosen={chosen} card={card} onCard={setCard} hidden={hidden} onHidden={setHidden} onNext={() => setStep(2)} />}
      {chosen && step === 2 && <Decide chosen={chosen} draft={draft} onDraft={setPolicy} onNext={() => setStep(3)} />}
      {chosen && step === 3 && <Review chosen={chosen} card={card} hidden={hidden} draft={draft} onSign={(profile) => void register.go(chosen.file, { file: chosen.file, card, profile, mock: mockOf(profile), policy: draft })} />}
    </>
  );
}

const titleOf = (name: string): string => name.replace(/\.[^.]*$/, '').replaceAll(/[_-]+/g, ' ').trim();

function useRegister() {
  const review = useReview();
  const queries = useQueryClient();
  const navigate = useNavigate();
  async function go(file: File, start: Parameters<typeof registrationSteps>[2]) {
    const holder: { draft: RegistrationDraft | null } = { draft: null };
    const title = 'card' in start ? start.card.title : start.title;
    const done = await review({
      title: 'Register this dataset',
      button: 'Register this dataset',
      changes: [
        <>&ldquo;{title}&rdquo; is recorded on the chain as yours, with hashes of its encrypted content.</>,
        'Its policy is set. It decides from then on who may train on it.',
        'The encrypted file is stored by the marketplace. Only your key file, and workers you let in, can open it.',
      ],
      seenBy: 'Everybody sees the title, description, statistics, made-up sample and policy. Nobody sees the rows.',
      cost: 'Nothing.',
      undo: 'You can change the policy or withdraw the dataset at any time. That it was registered stays on record.',
      steps: registrationSteps(queries, file, start, holder),
      done: () => holder.draft && <AfterRegistering draft={holder.draft} />,
    });
    await queries.invalidateQueries({ queryKey: ['registration-drafts'] });
    if (done && holder.draft?.dataset_id) await navigate(`/datasets/${holder.draft.dataset_id}`);
  }
  return { go };
}

function AfterRegistering({ draft }: { draft: RegistrationDraft }) {
  return (
    <Stack>
      <Text fw={600}>It is registered, as dataset {draft.dataset_id}.</Text>
      <Text size="sm">The key that opens it is in this browser. Save it as a file too: if this browser&apos;s data is lost, the file is the only way to let another worker in.</Text>
      <SaveKeyFile entry={{ owner: draft.owner, title: draft.title, manifest_hash: draft.manifest_hash, ciphertext_root: draft.manifest.ciphertext_root }} name={String(draft.dataset_id)} />
    </Stack>
  );
}

interface DescribeProps {
  chosen: Chosen;
  card: DatasetCard;
  onCard: (card: DatasetCard) => void;
  hidden: ReadonlySet<string>;
  onHidden: (hidden: ReadonlySet<string>) => void;
  onNext: () => void;
}

function Describe({ chosen, card, onCard, hidden, onHidden, onNext }: DescribeProps) {
  const [touched, setTouched] = useState(false);
  const wrong = cardFaults(card);
  const next = () => {
    setTouched(true);
    if (Object.keys(wrong).length === 0) onNext();
  };
  return (
    <Stack>
      <Section title="What it is" note={`${chosen.file.name}, ${formatBytes(chosen.file.size)}, ${formatUnits(chosen.profile.rows, 'row')}`}>
        <CardForm card={card} onChange={onCard} columns={chosen.profile.columns.map((column) => column.name)} faults={touched ? wrong : {}} />
      </Section>
      <PublicPreview profile={chosen.profile} hidden={hidden} onHidden={onHidden} />
      <Group justify="flex-end">
        <Button onClick={next}>Next: the policy</Button>
      </Group>
    </Stack>
  );
}

function Decide({ chosen, draft, onDraft, onNext }: { chosen: Chosen; draft: PolicyDraft; onDraft: (draft: PolicyDraft) => void; onNext: () => void }) {
  const [touched, setTouched] = useState(false);
  const wrong = faults(draft);
  const next = () => {
    setTouched(true);
    if (Object.keys(wrong).length === 0) onNext();
  };
  return (
    <Stack>
      <Section title="What it may be used for">
        <PolicyForm draft={draft} onChange={onDraft} faults={touched ? wrong : {}} columns={chosen.profile.columns.map((column) => column.name)} />
      </Section>
      <Group justify="flex-end">
        <Button onClick={next}>Next: review</Button>
      </Group>
    </Stack>
  );
}

function Review({ chosen, card, hidden, draft, onSign }: { chosen: Chosen; card: DatasetCard; hidden: ReadonlySet<string>; draft: PolicyDraft; onSign: (profile: Profile) => void }) {
  const words = usePolicyWords(draft);
  const shown = withoutStatistics(chosen.profile, hidden);
  return (
    <Stack>
      <Section title={card.title} note={`${formatUnits(chosen.profile.rows, 'row')}, ${formatUnits(chosen.profile.columns.length, 'column')}`}>
        <Text style={{ whiteSpace: 'pre-line' }}>{card.description || 'No description.'}</Text>
        <ul>
          {words.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      </Section>
      <Alert variant="light" color="teal" title="What becomes public">
        Title, description, the statistics of {formatUnits(chosen.profile.columns.length - hidden.size, 'column')} of {chosen.profile.columns.length}, a made-up sample, and the policy. The rows never do.
      </Alert>
      <Group justify="flex-end">
        <Button onClick={() => onSign(shown)}>Review and sign</Button>
      </Group>
    </Stack>
  );
}
