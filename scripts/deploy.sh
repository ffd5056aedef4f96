#!/usr/bin/env bash
# Deploys a version to a stage on AWS, or rolls back to one. Usage:
#
#   deploy.sh STAGE TAG [OPTIONS]             build, push, deploy, smoke test; rolls back if that fails
#   deploy.sh --rollback STAGE TAG [OPTIONS]  rolls back to a version whose images exist: builds nothing
#
#   STAGE             stage or production (infra/parameters/STAGE.json)
#   TAG               vX.Y.Z; for stage vX.Y.Z-something too
#   --yes             executes the change sets without asking
#   --bundle FOLDER   where no bundle is active yet (a first deployment), pushes and activates this one
#   --engine NAME     docker, podman or buildah
#   --no-alerts       deploys production although nobody would be notified of failures
#
# Order: refusals; templates validated; images built and pushed; then stack by stack (storage, gpu, pipeline, console where
# its parameters name a provider of identities, operations; each takes outputs of those before it) a change set, shown, confirmed, executed, awaited; then one photo
# is put and its record awaited. An interrupted run is started again with the same command: it reuses the images that
# it pushed. A roll-back goes in reverse order, as CloudFormation deletes no output that another stack imports, and
# leaves storage alone: it holds data, and its changes only add. It begins when every stack is in a final state, not
# before.
#
# Needs the stack PREFIX-bootstrap (make bootstrap): repositories, and the role that CloudFormation uses.
#
# Exit code 0: deployed. 1: failed, and what was changed is rolled back where there was something before. 2: refused,
# nothing was changed.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

# Bounds: seconds for the smoke test's record, and between two checks.
SMOKE_S=${WALKAROUND_SMOKE_S:-600}
SMOKE_POLL_S=${WALKAROUND_SMOKE_POLL_S:-5}
STACKS=(storage gpu pipeline console operations)
WORK=out/deploy
# The picture that the demonstration bundle tests itself on: drawn, so it may go anywhere.
SAMPLE=bundles/demo/self_test.png

say() { printf 'deploy: %s\n' "$*"; }
refuse() { printf 'deploy: refused: %s\n' "$*" >&2; exit 2; }
warn() { printf 'deploy: %s\n' "$*" >&2; }

# --- arguments

mode=deploy stage='' tag='' yes='' bundle='' engine='' alerts=yes
while [ $# -gt 0 ]; do
    case "$1" in
        --rollback) mode=rollback ;;
        --yes) yes=yes ;;
        --bundle) bundle=${2:?}; shift ;;
        --engine) engine=${2:?}; shift ;;
        --no-alerts) alerts='' ;;
        -*) refuse "no such option: $1" ;;
        *)
            if [ -z "$stage" ]; then stage=$1
            elif [ -z "$tag" ]; then tag=$1
            else refuse "expected one stage and one tag, but got also \`$1\`"; fi ;;
    esac
    shift
done

check_words() {
    case "$stage" in
        stage | production) ;;
        '') refuse "name a stage: stage or production (make deploy STAGE=stage TAG=v1.2.3)" ;;
        *) refuse "no such stage: \`$stage\` (stage, production)" ;;
    esac
    [ -n "$tag" ] || refuse "name a version: TAG=v1.2.3"
    [ "$tag" != latest ] || refuse "\`latest\` is never deployed: it names no version that a roll-back could return to"
    local version='^v[0-9]+\.[0-9]+\.[0-9]+'
    if [ "$stage" = production ]; then
        [[ "$tag" =~ $version$ ]] || refuse "production takes vX.Y.Z, not \`$tag\`"
    else
        [[ "$tag" =~ $version(-[0-9A-Za-z.-]{1,64})?$ ]] || refuse "a version is vX.Y.Z or vX.Y.Z-something, not \`$tag\`"
    fi
    [ -n "$yes" ] || [ -t 0 ] || refuse "there is no terminal to confirm the change sets at: --yes confirms them"
}

# --- git

check_tree() {
    [ -z "$(git status --porcelain)" ] || refuse "the tree has uncommitted changes: commit them first, so that what runs is in a commit"
    local tagged main
    tagged=$(git rev-parse --verify --quiet "refs/tags/$tag^{commit}" || true)
    if [ -n "$tagged" ]; then
        [ "$tagged" = "$revision" ] || refuse "tag $tag exists and names another commit: check it out, or use the next version"
    elif [ "$stage" = production ]; then
        refuse "no tag $tag: production deploys only tagged versions (git tag --sign $tag)"
    fi
    [ "$stage" = production ] || return 0
    main=$(git rev-parse --verify --quiet refs/remotes/origin/main || git rev-parse --verify --quiet refs/heads/main) \
        || refuse "no branch main here, from which production is deployed"
    git merge-base --is-ancestor "$revision" "$main" || refuse "tag $tag is not on main: merge it first"
}

# --- templates and their parameters (parameters/STAGE.json: stack -> name -> value)

# Those that belong to the version: of this checkout, and for a roll-back of the tag where git knows it. Parameters that
# a template does not have are refused, so the two go together.
take_templates() {
    templates=infra
    if [ "$mode" = rollback ]; then
        if git rev-parse --verify --quiet "refs/tags/$tag^{commit}" >/dev/null; then
            templates=$WORK/$tag/infra
            rm -rf "${WORK:?}/$tag"
            mkdir -p "$WORK/$tag"
            git archive "refs/tags/$tag" infra | tar -x -C "$WORK/$tag"
        else
            say "$tag is not a tag of this repository: its images run with the templates of this checkout"
        fi
    fi
    [ -f "$templates/parameters/$stage.json" ] || refuse "no $templates/parameters/$stage.json"
}

# parameter STACK NAME: one value, or nothing.
parameter() {
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1])).get(sys.argv[2], {}).get(sys.argv[3], ""))' \
        "$templates/parameters/$stage.json" "$1" "$2"
}

# parameters_file STACK NAME=VALUE... [?NAME=VALUE...]: those of the file and those given, as CloudFormation reads them.
# With a question mark: where the template has it (an older one may not), and the file does not say otherwise; with an
# exclamation mark: where the template has it, whatever the file says.
parameters_file() {
    python3 - "$templates" "$stage" "$@" >"$WORK/$1.parameters.json" <<'PYTHON'
import json
import re
import sys

templates, stage, stack, *pairs = sys.argv[1:]
values = dict(json.load(open(f"{templates}/parameters/{stage}.json")).get(stack, {}))
known = set(re.findall(r"^  (\w+):", open(f"{templates}/{stack}.yaml").read(), re.MULTILINE))
for pair in pairs:
    key, value = pair.split("=", 1)
    if key[0] not in "?!":
        values[key] = value
    elif key[1:] in known and (key[0] == "!" or key[1:] not in values):
        values[key[1:]] = value
json.dump([{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()], sys.stdout)
PYTHON
    printf '%s\n' "$WORK/$1.parameters.json"
}

# An alarm that reaches nobody is none.
check_receiver() {
    [ "$stage" = production ] && [ -n "$alerts" ] || return 0
    [ -n "$(parameter pipeline AlertSecretArn)$(parameter operations AlarmEmail)" ] \
        || refuse "nobody would be notified when production fails: set AlertSecretArn of pipeline or AlarmEmail of operations" \
            "in $templates/parameters/$stage.json (--no-alerts, make deploy ALERTS=none, deploys without)"
}

# --- what an administrator made before

# In `acts_by` the role of CloudFormation, in `boundary` the most that the roles of programs may do.
take_bootstrap() {
    local status
    status=$(stack_status bootstrap) || refuse "cannot find out whether $prefix-bootstrap exists (see above)"
    case "$status" in
        CREATE_COMPLETE | UPDATE_COMPLETE | UPDATE_ROLLBACK_COMPLETE | IMPORT_COMPLETE) ;;
        '' | None) refuse "there is no $prefix-bootstrap, with repositories and roles: make bootstrap STAGE=$stage" ;;
        *) refuse "$prefix-bootstrap is in $status: make bootstrap STAGE=$stage" ;;
    esac
    acts_by=$(output bootstrap CloudFormationRoleArn) || refuse "make bootstrap STAGE=$stage brings $prefix-bootstrap up to date"
    boundary=$(output bootstrap BoundaryArn) || refuse "make bootstrap STAGE=$stage brings $prefix-bootstrap up to date"
}

# Names that a deleted stack kept, and that a new one would be refused.
check_kept() {
    local kept
    kept=$(scripts/stacks.py kept "$stage") || refuse "cannot find out what an earlier $prefix-storage kept (see above)"
    [ -z "$kept" ] || refuse "an earlier stack kept ${kept//$'\n'/, }: make reimport STAGE=$stage imports them"
}

# Three availability zones where the region gives the account three.
count_zones() {
    local count
    count=$(aws ec2 describe-availability-zones --filters Name=zone-type,Values=availability-zone Name=state,Values=available \
        --query 'length(AvailabilityZones)' --output text) || refuse "AWS does not say how many zones $region has"
    zones=3
    [ "$count" != 2 ] || zones=2
}

# --- images

image() { printf '%s/%s/%s:%s\n' "$registry" "$prefix" "$1" "$2"; }
# Who built it from what: a second tag on the same image, which is pushed before the first. Tags of the repositories
# never move, so a version that does not have this commit's tag too is another commit's.
built_from() { printf '%s.g%s\n' "$tag" "${revision:0:12}"; }

# find_image NAME TAG: its digest in `found`, or nothing. An error of AWS does not mean that there is none.
find_image() {
    local error
    # Apart: what the AWS CLI remarks beside an answer is no digest.
    if found=$(aws ecr describe-images --repository-name "$prefix/$1" --image-ids "imageTag=$2" \
        --query 'imageDetails[0].imageDigest' --output text 2>"$WORK/error"); then
        [ "$found" != None ] || found=''
        return 0
    fi
    found='' error=$(<"$WORK/error")
    case "$error" in
        *ImageNotFoundException*) ;;
        *RepositoryNotFoundException*) refuse "there is no repository $prefix/$1: make bootstrap STAGE=$stage" ;;
        *) refuse "AWS does not say whether $prefix/$1:$2 exists: ${error##*$'\n'}" ;;
    esac
}

# What is to be done for each image, in `to_push` and `to_name`: nothing, where an earlier run from this commit did it.
check_images() {
    local name found released
    for name in functions worker; do
        find_image "$name" "$tag"
        released=$found
        if [ "$mode" = rollback ]; then
            [ -n "$released" ] || refuse "there is no image $prefix/$name:$tag to roll back to"
            continue
        fi
        find_image "$name" "$(built_from)"
        if [ -z "$released" ] && [ -z "$found" ]; then to_push+=("$name")
        elif [ -z "$released" ]; then to_name+=("$name")
        elif [ "$released" != "$found" ]; then
            refuse "image $prefix/$name:$tag exists and was built from another commit: use the next version; make rollback goes" \
                "back to an old one"
        fi
    done
}

push_images() {
    local name
    for name in "${to_name[@]}"; do name_image "$name"; done
    if [ ${#to_push[@]} -eq 0 ]; then
        say "the images of $tag were pushed from this commit before: reusing them"
        return 0
    fi
    [ -n "$engine" ] || engine=$(scripts/images.sh --which)
    scripts/images.sh --engine "$engine" --tag "$tag" --prefix "$registry/$prefix" "${to_push[@]}"
    aws ecr get-login-password | "$engine" login --username AWS --password-stdin "$registry"
    for name in "${to_push[@]}"; do
        "$engine" tag "$(image "$name" "$tag")" "$(image "$name" "$(built_from)")"
        "$engine" push "$(image "$name" "$(built_from)")"
        "$engine" push "$(image "$name" "$tag")"
    done
}

# name_image NAME: the version's tag, to an image that a run which broke off between its two pushes left without. In
# the registry: built again it might be another image, which the commit's tag cannot move to.
name_image() {
    local found=(aws ecr batch-get-image --repository-name "$prefix/$1" --image-ids "imageTag=$(built_from)" --output text)
    local manifest kind
    manifest=$("${found[@]}" --query 'images[0].imageManifest')
    kind=$("${found[@]}" --query 'images[0].imageManifestMediaType')
    aws ecr put-image --repository-name "$prefix/$1" --image-tag "$tag" --image-manifest "$manifest" \
        --image-manifest-media-type "$kind" --query 'image.imageId.imageDigest' --output text >/dev/null
}

# --- stacks

# stack_status STACK: nothing when there is none.
stack_status() {
    local answer
    if answer=$(aws cloudformation describe-stacks --stack-name "$prefix-$1" --query 'Stacks[0].StackStatus' \
        --output text 2>&1); then
        printf '%s\n' "$answer"
    elif [[ "$answer" != *"does not exist"* ]]; then
        warn "AWS does not report the state of $prefix-$1: ${answer##*$'\n'}"
        return 1
    fi
}

# output STACK NAME
output() {
    local value
    value=$(aws cloudformation describe-stacks --stack-name "$prefix-$1" \
        --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue | [0]" --output text) || return 1
    case "$value" in '' | None) warn "$prefix-$1 has no output $2"; return 1 ;; esac
    printf '%s\n' "$value"
}

# What a deployment would change, as it is now: what a roll-back goes back to.
remember() {
    local stack status
    previous=''
    for stack in "${STACKS[@]:1}"; do
        rm -f "$WORK/$stack.previous.yaml" "$WORK/$stack.previous.json"
        status=$(stack_status "$stack") || refuse "cannot find out what runs now (see above)"
        case "$status" in '' | None | REVIEW_IN_PROGRESS) continue ;; esac
        aws cloudformation get-template --stack-name "$prefix-$stack" --template-stage Original \
            --query TemplateBody --output text >"$WORK/$stack.previous.yaml"
        aws cloudformation describe-stacks --stack-name "$prefix-$stack" --query 'Stacks[0].Parameters' \
            --output json >"$WORK/$stack.previous.json"
        if [ "$stack" = pipeline ]; then
            previous=$(aws cloudformation describe-stacks --stack-name "$prefix-pipeline" --output text \
                --query "Stacks[0].Parameters[?ParameterKey=='ImageUri'].ParameterValue | [0]")
            previous=${previous##*:}
        fi
    done
    [ -z "$previous" ] || say "the running version is $previous"
}

validate() {
    local stack
    for stack in "${STACKS[@]}"; do
        aws cloudformation validate-template --template-body "file://infra/$stack.yaml" \
            --query 'Description' --output text >/dev/null || refuse "infra/$stack.yaml is not valid (see above)"
    done
}

confirm() {
    [ -z "$yes" ] || return 0
    local answer
    read -r -p "deploy: execute this change set of $1? [y/N] " answer
    [ "$answer" = y ] || [ "$answer" = yes ]
}

# change STACK TEMPLATE PARAMETERS: 0 when the stack is as wanted. Called in conditions, where `set -e` sleeps: every
# call that may fail says so itself.
change() {
    local name=$prefix-$1 template=$2 parameters=$3 status kind=UPDATE change_set reason
    status=$(stack_status "$1") || return 1
    case "$status" in
        '' | None | REVIEW_IN_PROGRESS) kind=CREATE ;;
        ROLLBACK_COMPLETE) delete_failed "$name" || return 1; kind=CREATE ;;
        ROLLBACK_FAILED | DELETE_FAILED | CREATE_FAILED)
            warn "$name is in $status: read its events, delete it (docs/operations.md), deploy again"; return 1 ;;
        UPDATE_ROLLBACK_FAILED)
            warn "$name is in $status: read its events, then run aws cloudformation continue-update-rollback --stack-name $name"
            return 1 ;;
        *_IN_PROGRESS) warn "$name is in $status: somebody else is changing it; wait, then start this deployment
        *again"; return 1 ;;
    esac
    change_set=$(printf 'walkaround-%s-%s' "${tag//[^0-9A-Za-z]/-}" "$(date -u +%Y%m%dT%H%M%SZ)")
    aws cloudformation create-change-set --stack-name "$name" --change-set-name "$change_set" \
        --change-set-type "$kind" --template-body "file://$template" --parameters "file://$parameters" \
        --capabilities CAPABILITY_IAM --role-arn "$acts_by" --tags "Key=walkaround,Value=$prefix" \
        --description "Walkaround $tag" --query Id --output text >/dev/null || return 1
    # An empty one counts as failed, too; the reason tells them apart.
    if ! aws cloudformation wait change-set-create-complete --stack-name "$name" --change-set-name "$change_set" \
        2>/dev/null; then
        reason=$(aws cloudformation describe-change-set --stack-name "$name" --change-set-name "$change_set" \
            --query StatusReason --output text) || return 1
        case "$reason" in
            *"didn't contain changes"* | *"No updates are to be performed"*)
                aws cloudformation delete-change-set --stack-name "$name" --change-set-name "$change_set" || return 1
                say "$name: nothing to change"; return 0 ;;
        esac
        warn "$name: the change set cannot be created: $reason"; return 1
    fi
    say "$name: these resources would change"
    aws cloudformation describe-change-set --stack-name "$name" --change-set-name "$change_set" --output table \
        --query 'Changes[].ResourceChange.[Action,LogicalResourceId,ResourceType,Replacement]' || return 1
    if ! confirm "$name"; then
        aws cloudformation delete-change-set --stack-name "$name" --change-set-name "$change_set" || true
        warn "$name: not confirmed"; return 1
    fi
    changed=yes
    aws cloudformation execute-change-set --stack-name "$name" --change-set-name "$change_set" || return 1
    await "$name" "$kind"
}

# await STACK KIND: until the stack is in a final state. What may still run is noted: nobody goes back from that.
await() {
    local code=0
    scripts/stacks.py await "$1" "${2,,}" || code=$?
    case "$code" in
        0) say "$1: done"; return 0 ;;
        1) ;;
        *)
            unsettled=$1
            warn "$1: CloudFormation may still be working. Wait until it has finished, then start this deployment again"
            return 1 ;;
    esac
    warn "$1: failed, and CloudFormation rolled it back; its events:"
    aws cloudformation describe-stack-events --stack-name "$1" --max-items 20 --output table \
        --query "StackEvents[?ends_with(ResourceStatus, '_FAILED')].[LogicalResourceId,ResourceStatusReason]" >&2 || true
    return 1
}

# delete_failed STACK: of a creation that failed nothing is left but the name, which the next one needs.
delete_failed() {
    say "$1: an earlier creation failed and left an empty stack: deleting it"
    aws cloudformation delete-stack --stack-name "$1" --role-arn "$acts_by" || return 1
    scripts/stacks.py await "$1" delete || { warn "$1 cannot be deleted: read its events"; return 1; }
}

# Those that a roll-back changes, the last first.
backwards() { printf '%s\n' "${STACKS[@]:1}" | tac; }

# has STACK: true where it is among those of the stage.
has() { case " ${STACKS[*]} " in *" $1 "*) echo true ;; *) echo false ;; esac; }

# change_stack STACK: the version's template, with its parameters of the stage and its images.
change_stack() {
    local given=("?BoundaryArn=$boundary")
    case "$1" in
        gpu) given+=("WorkerImageUri=$(image worker "$tag")" "?Zones=$zones") ;;
        pipeline | console) given+=("ImageUri=$(image functions "$tag")") ;;
        operations) given+=("!ConsoleStack=$(has console)") ;;
    esac
    change "$1" "$templates/$1.yaml" "$(parameters_file "$1" "${given[@]}")"
}

# --- the bundle

# Without an active bundle no function starts.
ensure_bundle() {
    [ -z "$(parameter pipeline BundleLocation)" ] || return 0
    local name bucket answer
    name=$(parameter pipeline BundleName)
    name=${name:-demo}
    bucket=$(output storage BundlesBucket) || return 1
    answer=$(aws s3api head-object --bucket "$bucket" --key "bundles/$name/current" 2>&1) && return 0
    if [[ "$answer" != *"(404)"* ]]; then
        warn "AWS does not say whether a bundle $name is active in $bucket: ${answer##*$'\n'}"
        return 1
    fi
    if [ -z "$bundle" ]; then
        warn "no bundle $name is active in $bucket: give one with --bundle bundles/demo (make deploy FIRST_BUNDLE=bundles/demo)"
        return 1
    fi
    if [ "$(bundle_says name)" != "$name" ]; then
        warn "$bundle/bundle.toml says name = \"$(bundle_says name)\", and the functions look for $name (BundleName):" \
            "change one of them"
        return 1
    fi
    say "pushing and activating the bundle of $bundle"
    local walkaround=(cargo run --release --quiet --locked --package walkaround-cli --bin walkaround --)
    "${walkaround[@]}" bundle push "$bundle" --bucket "$bucket" \
        && "${walkaround[@]}" bundle activate "$name" "$(bundle_says version)" --bucket "$bucket"
}

# bundle_says KEY: of the manifest.
bundle_says() {
    python3 -c 'import sys, tomllib; print(tomllib.load(open(sys.argv[1], "rb"))[sys.argv[2]])' "$bundle/bundle.toml" "$1"
}

# --- the smoke test: S3, queue, triage, table; not the GPU lane, which one photo does not start

smoke() {
    local bucket table key version id item folder phase='' began
    bucket=$(output storage PhotosBucket) && table=$(output storage TableName) || return 1
    # Below the prefix that the bucket reports, where it reports only one; no event goes out for this folder.
    folder=$(storage_parameter PhotoPrefix) || return 1
    [ "$folder" != None ] || folder=''
    key=${folder}walkaround-smoke/$tag-$(date -u +%Y%m%dT%H%M%SZ)-$$.png
    version=$(aws s3api put-object --bucket "$bucket" --key "$key" --body "$SAMPLE" --content-type image/png \
        --query VersionId --output text) || return 1
    case "$version" in None | null) version='' ;; esac
    # What docs/messages.md says an id is: where the photo is, joined by the unit separator. Without a version it is made of
    # more than that, so a request brings one of its own.
    id=$(printf 's3\037%s\037%s\037%s' "$bucket" "$key" "$version" | sha256sum | cut -d ' ' -f 1)
    if [ -z "$version" ] || ! bucket_tells; then tell "$bucket" "$key" "$version" "$id" || return 1; fi
    say "smoke test: s3://$bucket/$key, inspection $id"
    item=$(printf '{"pk":{"S":"I#%s"},"sk":{"S":"R"}}' "$id")
    began=$SECONDS
    while [ $((SECONDS - began)) -lt "$SMOKE_S" ]; do
        phase=$(aws dynamodb get-item --table-name "$table" --key "$item" --consistent-read \
            --query 'Item.phase.S' --output text) || return 1
        case "$phase" in
            done) say "smoke test: done"; return 0 ;;
            failed) warn "smoke test: the photo's record says failed; see walkaround show $id --stack aws"; return 1 ;;
        esac
        sleep "$SMOKE_POLL_S"
    done
    warn "smoke test: no final record within $SMOKE_S s (last seen: ${phase:-nothing}); first thing to try: walkaround doctor --stack aws"
    return 1
}

# Whether the bucket tells of new photos from the beginning: one that was there before does so once its owner has set it
# up, after the first deployment (infra/README.md). Told twice, a photo is one inspection. The stack is asked, not the
# file, as a roll-back leaves the stack as it is.
bucket_tells() {
    local events existing
    events=$(storage_parameter PhotoEvents) && existing=$(storage_parameter ExistingPhotosBucket) || return 1
    [ "$events" != None ] && case "$existing" in '' | None) true ;; *) false ;; esac
}

storage_parameter() {
    aws cloudformation describe-stacks --stack-name "$prefix-storage" --output text \
        --query "Stacks[0].Parameters[?ParameterKey=='$1'].ParameterValue | [0]"
}

# tell BUCKET KEY VERSION ID: where nothing tells of new photos, a request does.
tell() {
    local queue body
    queue=$(output storage IntakeQueueUrl) || return 1
    body=$(printf '{"inspection_id":"%s","photo":{"s3":{"bucket":"%s","key":"%s","version":"%s"}}}' "$4" "$1" "$2" "$3")
    aws sqs send-message --queue-url "$queue" --message-body "$body" --query MessageId --output text >/dev/null
}

# --- there and back

deploy_all() {
    local stack
    for stack in "${STACKS[@]}"; do
        change_stack "$stack" || return 1
        if [ "$stack" = storage ]; then ensure_bundle || return 1; fi
    done
    smoke
}

# To what `remember` found, templates and all.
go_back() {
    local stack stacks
    if [ -z "$previous" ]; then
        warn "there is no version before $tag to roll back to; what was deployed stays, so that it can be examined"
        return 0
    fi
    if [ -n "$unsettled" ]; then
        warn "nothing is rolled back: $unsettled is not in a final state yet"
        return 1
    fi
    say "rolling back to $previous"
    # One decision, made by the failure: nobody is asked again.
    yes=yes
    mapfile -t stacks < <(backwards)
    for stack in "${stacks[@]}"; do
        [ -f "$WORK/$stack.previous.yaml" ] || continue
        change "$stack" "$WORK/$stack.previous.yaml" "$WORK/$stack.previous.json" \
            || { warn "the roll-back failed at $stack: finish it by hand (docs/operations.md, Roll-back)"; return 1; }
    done
    if smoke; then say "$previous runs again"; else warn "the smoke test also fails with $previous: the new version is not the cause"; fi
}

roll_back() {
    local stack stacks
    mapfile -t stacks < <(backwards)
    for stack in "${stacks[@]}"; do change_stack "$stack" || return 1; done
    smoke
}

check_words
revision=$(git rev-parse HEAD)
[ "$mode" = rollback ] || check_tree
take_templates
prefix=$(parameter storage Prefix)
prefix=${prefix:-walkaround-$stage}
account=$(aws sts get-caller-identity --query Account --output text) \
    || refuse "AWS does not know who you are: sign in (aws sso login), or set AWS_PROFILE"
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
[ -n "$region" ] || refuse "no region: set AWS_REGION"
registry=$account.dkr.ecr.$region.amazonaws.com
# A stage may do without the GPU lane, and without a console.
drop() { local stack left=(); for stack in "${STACKS[@]}"; do [ "$stack" = "$1" ] || left+=("$stack"); done; STACKS=("${left[@]}"); }
[ "$(parameter operations GpuStack)" != false ] || drop gpu
[ -n "$(parameter console OidcIssuer)" ] || drop console
mkdir -p "$WORK"
changed='' unsettled='' previous='' to_push=() to_name=()

[ "$mode" = rollback ] || check_receiver
take_bootstrap
check_images
if [ "$mode" = rollback ]; then
    count_zones
    say "$prefix in $region of account $account: rolling back to $tag"
    roll_back || { warn "the roll-back to $tag failed"; exit 1; }
    say "$tag runs in $stage"
    exit 0
fi

say "$prefix in $region of account $account: $tag, commit ${revision:0:12}"
check_kept
count_zones
validate
remember
push_images
if deploy_all; then
    say "$tag runs in $stage"
    exit 0
fi
warn "$tag failed in $stage"
[ -z "$changed" ] || go_back || true
exit 1
