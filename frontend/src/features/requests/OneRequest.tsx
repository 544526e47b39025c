// One request: who asks, for what, by when, what it would bring; then the two answers, and a third: always like this.
import { Accordion, Button, Group, MultiSelect, Stack, Text, Textarea } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { Amount, Fact, Facts, Hash, TimeLeft, When } from '@/components/facts';
import { HowDoWeKnow } from '@/components/HowDoWeKnow';
import { JobsTable } from '@/components/JobsTable';
import { KeyFileGate } from '@/components/KeyFileGate';
import { Section } from '@/components/layout';
import { Shown } from '@/components/states';
import { DatasetName, Person } from '@/components/Thread';
import { useDataset } from '@/lib/api/datasets';
import { jobQuery, useJobs, useRecipes, useWorkers } from '@/lib/api/jobs';
import type { Approval, Dataset, Job, JobRequest, Worker } from '@/lib/api/types';
import { formatBps } from '@/lib/format';
import { useApprove, useDeny } from './deeds';

export interface OneRequestProps {
  summary: JobRequest;
  approval: Approval;
}

export function OneRequest({ summary, approval }: OneRequestProps) {
  const job = useQuery({ ...jobQuery(summary.id), refetchInterval: false });
  const dataset = useDataset(approval.dataset_id);
  return (
    <Section title={<Link to={`/jobs/${summary.id}`}>{summary.title}</Link>} note={job.data && <TimeLeft until={job.data.approve_by_ns} over="The time to answer is over" />}>
      <Stack>
        <Facts>
          <Fact name="Who asks">
            <Person principal={summary.builder} />
          </Fact>
          <Fact name="For what">{summary.purpose}</Fact>
          <Fact name="With">
            <DatasetName id={approval.dataset_id} title={approval.dataset_title} />, version {approval.version}
          </Fact>
          <Fact name="What you would earn">
            <Amount e8s={approval.price_e8s} /> for the job{job.data && <>, and a part of the {formatBps(job.data.terms.contributors_bps)} of the model that go to those whose data made it better</>}
          </Fact>
          <Fact name="Asked">
            <When ns={summary.proposed_at_ns} />
          </Fact>
        </Facts>
        <Shown query={job} what="job">
          {(full) => (
            <>
              <Details job={full} />
              <Shown query={dataset} what="dataset">
                {(data) => <Answers job={full} approval={approval} dataset={data} />}
              </Shown>
            </>
          )}
        </Shown>
      </Stack>
    </Section>
  );
}

function Details({ job }: { job: Job }) {
  const recipes = useRecipes();
  const recipe = recipes.data?.find((candidate) => candidate.code_hash === job.code_hash);
  return (
    <Accordion variant="separated" keepMounted={false}>
      <Accordion.Item value="code">
        <Accordion.Control>What would be computed</Accordion.Control>
        <Accordion.Panel>
          <Facts>
            <Fact name="Code">{recipe ? `${recipe.title}: ${recipe.description}` : `${job.recipe}, which is not one of the recipes this marketplace offers now`}</Fact>
            <Fact name="Code hash">
              <Hash value={job.code_hash} label="code hash" />
            </Fact>
            <Fact name="Other data">
              <Stack gap={2}>
                {job.approvals.map((other) => (
                  <span key={other.dataset_id}>
                    <DatasetName id={other.dataset_id} title={other.dataset_title} /> of <Person principal={other.owner} />: {other.state}
                  </span>
                ))}
              </Stack>
            </Fact>
            <Fact name="Settings">
              <pre style={{ margin: 0, whiteSpace: 'pre-wrap' }}>{job.config ? JSON.stringify(job.config, null, 1) : 'not uploaded by the builder yet: ask them before you agree'}</pre>
            </Fact>
          </Facts>
        </Accordion.Panel>
      </Accordion.Item>
      <Accordion.Item value="builder">
        <Accordion.Control>What this builder has done before</Accordion.Control>
        <Accordion.Panel>
          <BuilderHistory builder={job.builder} except={job.id} />
        </Accordion.Panel>
      </Accordion.Item>
    </Accordion>
  );
}

function BuilderHistory({ builder, except }: { builder: string; except: number }) {
  const query = useJobs({ builder, page_size: 10 });
  return (
    <Shown query={query} what="jobs">
      {(data) => {
        const others = data.results.filter((job) => job.id !== except);
        return others.length ? <JobsTable jobs={others} label="Other jobs of this builder" /> : <Text size="sm">Nothing yet: this is their first job here.</Text>;
      }}
    </Shown>
  );
}

function Answers({ job, approval, dataset }: { job: Job; approval: Approval; dataset: Dataset }) {
  const workers = useWorkers();
  return (
    <Shown query={workers} what="workers">
      {(list) => <AnswerForm key={list.length} job={job} approval={approval} dataset={dataset} workers={list} />}
    </Shown>
  );
}

interface AnswerFormProps {
  job: Job;
  approval: Approval;
  dataset: Dataset;
  workers: Worker[];
}

/** Who may open the data, unless the owner says otherwise: the worker the job names, else those the policy names. */
function suggested({ job, dataset, workers }: AnswerFormProps): string[] {
  const known = workers.map((worker) => worker.principal);
  const named = job.worker ? [job.worker] : (dataset.policy?.workers ?? []);
  return named.filter((principal) => known.includes(principal));
}

function AnswerForm(props: AnswerFormProps) {
  const { job, approval, dataset, workers } = props;
  const queries = useQueryClient();
  const [chosen, setChosen] = useState(() => suggested(props));
  const [denying, setDenying] = useState(false);
  const [reason, setReason] = useState('');
  const approve = useApprove(queries);
  const deny = useDeny(queries);
  const version = dataset.versions.filter((one) => one.version === approval.version);
  if (denying) {
    return (
      <Stack>
        <Textarea label="Why not" description="The builder and everybody else will read it." autosize minRows={2} maxLength={1000} value={reason} onChange={(event) => setReason(event.currentTarget.value)} data-autofocus />
        <Group justify="flex-end">
          <Button variant="default" onClick={() => setDenying(false)}>
            Back
          </Button>
          <Button color="red" disabled={!reason.trim()} onClick={() => void deny(job, approval, reason.trim())}>
            Deny this request
          </Button>
        </Group>
      </Stack>
    );
  }
  return (
    <Stack>
      <KeyFileGate owner={dataset.owner} versions={version}>
        <MultiSelect label="Workers that may open your data for this job" data={workers.map((worker) => ({ value: worker.principal, label: worker.name }))} value={chosen} onChange={setChosen} error={chosen.length === 0 && 'Name at least one: without a key no worker can train.'} maw={420} />
        <Group justify="flex-end">
          <Button variant="subtle" component={Link} to={`/datasets/${dataset.id}/policy?like=${job.id}`}>
            Always like this
          </Button>
          <Button variant="default" onClick={() => setDenying(true)}>
            Deny
          </Button>
          <Button disabled={chosen.length === 0} onClick={() => void approve({ job, approval, versions: version, workers: chosen })}>
            Approve this request
          </Button>
        </Group>
      </KeyFileGate>
      <Group justify="space-between">
        <HowDoWeKnow compact proof={approval.proof} of="this request" />
        <Text size="xs" c="dimmed">
          Made under policy version {approval.policy_version}
        </Text>
      </Group>
    </Stack>
  );
}
