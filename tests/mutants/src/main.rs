//! Runs the tests on copies of the tree that contain one fault each. The README in this folder
//! describes it.

mod list;

use list::Mutant;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const USAGE: &str = "\
usage: tests/mutants/run [OPTIONS]
  --list            name the mutants, run nothing
  --check           find the text of each mutant in the tree, run nothing
  --diff            with --list or --check: show what each changes
  --seed S          draw by this seed (default 1)
  --count N         run N mutants, drawn by the seed (default: all)
  --only ID,ID      run these
  --area A,A        run those of these lists: the names of the files in tests/mutants/list
  --own             run the tests of the crate itself, not those of crates that use it
  --switched        compile the mutants together, each behind a switch in the copy
  --prepare         make the copy with the switches and leave it so, run nothing
  --prepared        run in the copy that --prepare has left: several runners can share it
  --limit SECONDS   begin no further mutant after this time
  --timeout SECONDS the most that one step of tests may take (default 300); then it is killed
  --target DIR      the target directory (default: one beside the copy)";

struct Options {
    dir: PathBuf,
    target: Option<PathBuf>,
    list: bool,
    check: bool,
    diff: bool,
    seed: u64,
    count: Option<usize>,
    only: Vec<String>,
    areas: Vec<String>,
    own: bool,
    switched: bool,
    prepare: bool,
    prepared: bool,
    limit: Option<u64>,
    timeout: u64,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        dir: std::env::temp_dir().join("wengert-mutants"),
        target: None,
        list: false,
        check: false,
        diff: false,
        seed: 1,
        count: None,
        only: Vec::new(),
        areas: Vec::new(),
        own: false,
        switched: false,
        prepare: false,
        prepared: false,
        limit: None,
        timeout: 300,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg}: a value is missing\n{USAGE}"));
        let words = |text: String| text.split(',').map(String::from).collect::<Vec<_>>();
        let number = |text: String| {
            text.parse::<u64>().map_err(|_| format!("{text} is not an integer\n{USAGE}"))
        };
        match &*arg {
            "--list" => options.list = true,
            "--check" => options.check = true,
            "--diff" => options.diff = true,
            "--own" => options.own = true,
            "--switched" => options.switched = true,
            "--prepare" => options.prepare = true,
            "--prepared" => options.prepared = true,
            "--seed" => options.seed = number(value()?)?,
            "--count" => options.count = Some(number(value()?)? as usize),
            "--only" => options.only = words(value()?),
            "--area" => options.areas = words(value()?),
            "--limit" => options.limit = Some(number(value()?)?),
            "--timeout" => options.timeout = number(value()?)?,
            "--dir" => options.dir = value()?.into(),
            "--target" => options.target = Some(std::path::absolute(value()?).unwrap_or_default()),
            _ => return Err(format!("{arg}: no such option\n{USAGE}")),
        }
    }
    Ok(options)
}

/// One call of `cargo test`: a package and the selected tests.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Step {
    package: &'static str,
    what: &'static [&'static str],
}

impl Step {
    fn name(self) -> String {
        format!("{} {}", self.package, self.what.join(" "))
    }
}

/// Returns the tests that may kill a mutant of a crate. The tests of the crate itself come first.
fn steps(area: &str, own: bool) -> Vec<Step> {
    const ALL: &[&str] = &["--lib", "--tests"];
    let step = |package, what| Step { package, what };
    let (package, others): (_, &[_]) = match area {
        "autograd" => (
            "wengert-autograd",
            &[("wengert-nn", ALL), ("wengert-optim", ALL), ("wengert-train", ALL)],
        ),
        "linalg" => ("wengert-linalg", &[]),
        "models" => ("wengert", &[]),
        "nn" => ("wengert-nn", &[("wengert-train", ALL)]),
        "optim" => ("wengert-optim", &[("wengert-train", ALL)]),
        "random" => ("wengert-random", &[]),
        "data" => ("wengert-data", &[("wengert-train", ALL)]),
        "plot" => ("wengert-plot", &[("wengert-train", ALL)]),
        "tensor" => ("wengert-tensor", &[("wengert-autograd", ALL), ("wengert-nn", ALL)]),
        "train" => ("wengert-train", &[]),
        _ => panic!("{area}.txt: this program does not know the tests of these mutants"),
    };
    let mut steps = vec![step(package, &["--lib"]), step(package, &["--tests"])];
    if package != "wengert-autograd" {
        steps = vec![step(package, ALL)];
    }
    steps.push(step(package, &["--doc"]));
    if !own {
        steps.extend(others.iter().map(|&(package, what)| step(package, what)));
        steps.push(step("wengert", &["--test", "all"]));
    }
    steps
}

#[derive(Clone, PartialEq)]
enum Verdict {
    /// Killed by this step. `true` means that the step did not end in time.
    Killed(String, bool),
    Survived,
    /// The mutant does not compile, so its entry must be corrected.
    Invalid(String),
}

struct Runner {
    tree: PathBuf,
    target: PathBuf,
    timeout: Duration,
    /// The steps that pass without a mutant.
    sound: HashSet<(Step, String)>,
}

impl Runner {
    /// Runs cargo in the copy. Returns whether it succeeded, whether it ended in time, and its output.
    fn cargo(&self, step: Step, more: &[&str], mutant: Option<&str>) -> (bool, bool, String) {
        fs::create_dir_all(&self.target).expect("the target directory can be made");
        let log = self.target.join(format!("mutants.{}.log", std::process::id()));
        let output = fs::File::create(&log).expect("the folder can be written");
        let mut command = Command::new("cargo");
        command.args(["test", "-p", step.package]).args(step.what).args(more);
        command.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target);
        command.env_remove("MUTANT").env("CARGO_TERM_COLOR", "never");
        if let Some(id) = mutant {
            command.env("MUTANT", id);
        }
        for (key, value) in [("OPT_LEVEL", "1"), ("DEBUG", "0"), ("DEBUG_ASSERTIONS", "true")] {
            let key = format!("CARGO_PROFILE_DEV_{key}");
            if std::env::var_os(&key).is_none() {
                command.env(key, value);
            }
        }
        let errors = output.try_clone().expect("a file can be shared");
        command.stdout(output).stderr(errors);
        let (passed, ended) = self.finish(command);
        let text = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
        (passed, ended, text)
    }

    /// Returns a runner with a timeout of an hour, for builds without a mutant: they may have to
    /// wait until another cargo releases the target directory.
    fn patient(&self) -> Runner {
        let (tree, target) = (self.tree.clone(), self.target.clone());
        Runner { tree, target, timeout: Duration::from_secs(3600), sound: HashSet::new() }
    }

    /// Compiles the programs of a step and returns their paths. Examples in documentation have no program.
    fn build(&self, step: Step) -> Result<Vec<PathBuf>, String> {
        let step = match step.what {
            ["--doc"] => Step { what: &["--lib"], ..step },
            _ => step,
        };
        let (built, _, text) = self.patient().cargo(step, &["--no-run"], None);
        if !built {
            return Err(text);
        }
        // `Executable tests/loader.rs (/…/loader-0123)`
        let program = |line: &str| {
            let line = line.trim().strip_prefix("Executable ")?.strip_suffix(')')?;
            Some(self.tree.join(line.rsplit_once('(')?.1))
        };
        Ok(text.lines().filter_map(program).collect())
    }

    /// Runs the compiled programs of a step with one mutant turned on. Returns whether all
    /// succeeded and whether all ended in time.
    fn programs(&self, step: Step, programs: &[PathBuf], mutant: &str) -> (bool, bool) {
        if step.what == ["--doc"] {
            let (passed, ended, _) = self.cargo(step, &[], Some(mutant));
            return (passed, ended);
        }
        let folder = step
            .package
            .strip_prefix("wengert-")
            .map_or(self.tree.clone(), |name| self.tree.join("crates").join(name));
        for program in programs {
            let mut command = Command::new(program);
            command.current_dir(&folder).env("MUTANT", mutant);
            command.env("CARGO_MANIFEST_DIR", &folder);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            match self.finish(command) {
                (true, _) => {}
                failed => return failed,
            }
        }
        (true, true)
    }

    /// Runs a command. Returns whether it succeeded and whether it ended in time.
    fn finish(&self, mut command: Command) -> (bool, bool) {
        command.stdin(Stdio::null()).process_group(0);
        let mut child = command.spawn().expect("it starts");
        let start = Instant::now();
        let status = loop {
            match child.try_wait().expect("a child can be asked") {
                Some(status) => break Some(status),
                None if start.elapsed() > self.timeout => {
                    let group = format!("-{}", child.id());
                    let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
                    let _ = child.wait();
                    break None;
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        (status.is_some_and(|status| status.success()), status.is_some())
    }

    /// Checks that the tests pass without a mutant. Otherwise they would kill every mutant.
    fn baseline(&mut self, step: Step, state: &str) -> Result<(), String> {
        if self.sound.contains(&(step, state.to_string())) {
            return Ok(());
        }
        self.build(step)?;
        match self.patient().cargo(step, &[], None) {
            (true, ..) => {
                self.sound.insert((step, state.to_string()));
                Ok(())
            }
            (.., text) => Err(format!("{} fails without a mutant:\n{text}", step.name())),
        }
    }

    fn one(&mut self, mutant: &Mutant, steps: &[Step]) -> Result<Verdict, String> {
        for &step in steps {
            self.baseline(step, "plain")?;
            let path = self.tree.join(&mutant.path);
            let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
            fs::write(&path, mutant.apply(&text)?).map_err(|error| error.to_string())?;
            let built = self.build(step);
            let run = built.is_ok().then(|| self.cargo(step, &[], None));
            fs::write(&path, &text).map_err(|error| error.to_string())?;
            match (built, run) {
                (Err(text), _) => return Ok(Verdict::Invalid(text)),
                (_, Some((false, ended, _))) => {
                    return Ok(Verdict::Killed(step.name(), !ended));
                }
                _ => {}
            }
        }
        Ok(Verdict::Survived)
    }
}

/// Copies the files of the repository that git tracks or does not ignore. Files that have not
/// changed are not written, so that cargo does not build them again.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let listed = Command::new("git")
        .args(["ls-files", "-co", "--exclude-standard", "-z"])
        .current_dir(from)
        .output()
        .map_err(|error| format!("git: {error}"))?;
    let mut names: Vec<String> = String::from_utf8_lossy(&listed.stdout)
        .split('\0')
        .filter(|name| !name.is_empty() && from.join(name).is_file())
        .map(String::from)
        .collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Err("git names no files: the runner copies a checkout".into());
    }
    let manifest = to.with_extension("files");
    for old in fs::read_to_string(&manifest).unwrap_or_default().lines() {
        if names.binary_search_by(|name| (**name).cmp(old)).is_err() {
            let _ = fs::remove_file(to.join(old));
        }
    }
    for name in &names {
        let (source, copy) = (from.join(name), to.join(name));
        let new = fs::read(&source).map_err(|error| format!("{name}: {error}"))?;
        if fs::read(&copy).is_ok_and(|old| old == new) {
            continue;
        }
        fs::create_dir_all(copy.parent().unwrap_or(to)).map_err(|error| error.to_string())?;
        fs::write(&copy, new).map_err(|error| format!("{name}: {error}"))?;
    }
    fs::write(manifest, names.join("\n")).map_err(|error| error.to_string())
}

/// Shuffles the list with this seed (Fisher–Yates, with random numbers from SplitMix64).
fn shuffle<T>(list: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..list.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        list.swap(last, ((z ^ (z >> 31)) % (last as u64 + 1)) as usize);
    }
}

/// Draws mutants from the lists in turn, so that even a small sample contains several crates.
fn draw(mut chosen: Vec<Mutant>, seed: u64, count: usize) -> Vec<Mutant> {
    shuffle(&mut chosen, seed);
    let mut turns: HashMap<String, usize> = HashMap::new();
    let mut ranked: Vec<(usize, Mutant)> = Vec::new();
    for mutant in chosen {
        let turn = turns.entry(mutant.area.clone()).or_default();
        ranked.push((*turn, mutant));
        *turn += 1;
    }
    // The sort is stable: within a turn, the mutants remain in their shuffled order.
    ranked.sort_by_key(|(turn, _)| *turn);
    ranked.into_iter().take(count).map(|(_, mutant)| mutant).collect()
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}

/// Runs the program. Returns whether every mutant was killed.
fn run() -> Result<bool, String> {
    let options = options()?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.join("../..");
    let mut chosen = list::read(&here.join("list"))?;
    if let Some(id) = options.only.iter().find(|id| chosen.iter().all(|m| m.id != **id)) {
        return Err(format!("--only {id}: no mutant has this name"));
    }
    let of_area = |m: &Mutant| options.areas.is_empty() || options.areas.contains(&m.area);
    let named = |m: &Mutant| options.only.is_empty() || options.only.contains(&m.id);
    chosen.retain(|mutant| of_area(mutant) && named(mutant));
    if let Some(count) = options.count {
        chosen = draw(chosen, options.seed, count);
    }
    if options.list || options.check {
        return Ok(show(&chosen, &options, &root));
    }

    let tree = options.dir.join("tree");
    fs::create_dir_all(&tree).map_err(|error| error.to_string())?;
    if !options.prepared {
        copy(&root, &tree)?;
    }
    let behind_switches = options.switched || options.prepare || options.prepared;
    let (together, alone): (Vec<Mutant>, Vec<Mutant>) =
        chosen.into_iter().partition(|mutant| behind_switches && mutant.switchable());
    let before = if options.prepared { Vec::new() } else { switch(&tree, &together)? };
    if options.prepare {
        println!("{} mutants are behind switches in {}", together.len(), tree.display());
        return Ok(true);
    }
    let target = options.target.clone().unwrap_or(options.dir.join("target"));
    let timeout = Duration::from_secs(options.timeout);
    let mut runner = Runner { tree, target, timeout, sound: HashSet::new() };

    let start = Instant::now();
    let late = || options.limit.is_some_and(|limit| start.elapsed().as_secs() >= limit);
    let mut verdicts = Vec::new();
    let total = together.len() + alone.len();
    let mut report = |mutant: &Mutant, verdict: Verdict| {
        tell(mutant, &verdict, start.elapsed(), &root, &options.dir);
        verdicts.push(verdict);
    };
    let mut result = Ok(());
    for mutants in by_area(&together) {
        let steps = steps(&mutants[0].area, options.own);
        result = result.and_then(|()| switched(&mut runner, &mutants, &steps, &late, &mut report));
    }
    for (path, text) in before {
        fs::write(&path, text).map_err(|error| error.to_string())?;
    }
    result?;
    for mutants in by_area(&alone).into_iter().filter(|_| !options.prepared) {
        let steps = steps(&mutants[0].area, options.own);
        for mutant in mutants {
            if late() {
                break;
            }
            let verdict = runner.one(mutant, &steps)?;
            report(mutant, verdict);
        }
    }
    let count = |is: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| is(verdict)).count();
    let killed = count(|v| matches!(v, Verdict::Killed(..)));
    let late = count(|v| matches!(v, Verdict::Killed(_, true)));
    let survived = count(|v| matches!(v, Verdict::Survived));
    let invalid = count(|v| matches!(v, Verdict::Invalid(_)));
    println!(
        "{total} chosen, {} run: {killed} killed ({late} of them by not ending), {survived} survived, \
         {invalid} do not compile",
        verdicts.len()
    );
    // Only a limit, or a copy without the mutants that have no switch, leaves some out; never all.
    let in_part = options.limit.is_some() || options.prepared;
    let enough = if in_part { total.min(1) } else { total };
    Ok(survived + invalid == 0 && verdicts.len() >= enough)
}

/// Groups the mutants by crate. Crates on which most others depend come last, so that the compiled
/// dependencies remain valid.
fn by_area(mutants: &[Mutant]) -> Vec<Vec<&Mutant>> {
    const LAST: [&str; 5] = ["train", "models", "nn", "autograd", "tensor"];
    let mut areas: BTreeMap<_, Vec<&Mutant>> = BTreeMap::new();
    for mutant in mutants {
        let place = LAST.iter().position(|area| mutant.area == *area);
        areas.entry((place, &mutant.area)).or_default().push(mutant);
    }
    areas.into_values().collect()
}

/// Writes all these mutants into the copy, each with a switch, and returns the original files.
fn switch(tree: &Path, mutants: &[Mutant]) -> Result<Vec<(PathBuf, String)>, String> {
    let mut files: BTreeMap<&str, Vec<&Mutant>> = BTreeMap::new();
    for mutant in mutants {
        files.entry(&mutant.path).or_default().push(mutant);
    }
    let mut before = Vec::new();
    for (path, mutants) in files {
        let path = tree.join(path);
        let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        fs::write(&path, list::switched(&text, &mutants)?).map_err(|error| error.to_string())?;
        before.push((path, text));
    }
    Ok(before)
}

/// Runs the mutants of one crate. The copy contains all of them with switches, and the environment
/// variable `MUTANT` turns one on.
fn switched(
    runner: &mut Runner,
    mutants: &[&Mutant],
    steps: &[Step],
    late: &dyn Fn() -> bool,
    report: &mut dyn FnMut(&Mutant, Verdict),
) -> Result<(), String> {
    let mut left: Vec<&Mutant> = mutants.to_vec();
    for &step in steps {
        if left.is_empty() || late() {
            return Ok(());
        }
        runner.baseline(step, "switched")?;
        let programs = runner.build(step)?;
        let mut survivors = Vec::new();
        for &mutant in &left {
            if late() {
                return Ok(());
            }
            match runner.programs(step, &programs, &mutant.id) {
                (false, ended) => report(mutant, Verdict::Killed(step.name(), !ended)),
                _ => survivors.push(mutant),
            }
        }
        left = survivors;
    }
    left.into_iter().for_each(|mutant| report(mutant, Verdict::Survived));
    Ok(())
}

fn tell(mutant: &Mutant, verdict: &Verdict, time: Duration, root: &Path, dir: &Path) {
    let (word, more) = match verdict {
        Verdict::Killed(step, false) => ("killed", step.clone()),
        Verdict::Killed(step, true) => ("killed", format!("{step} (it did not end)")),
        Verdict::Survived => ("SURVIVED", String::new()),
        Verdict::Invalid(_) => ("DOES NOT COMPILE", String::new()),
    };
    let line = format!("{word:9} {:40} {more}", mutant.id);
    println!("{:5} s  {}", time.as_secs(), line.trim_end());
    if !matches!(verdict, Verdict::Killed(..)) {
        let text = fs::read_to_string(root.join(&mutant.path)).unwrap_or_default();
        println!("{}", mutant.diff(&text).unwrap_or_else(|why| why));
    }
    if let Verdict::Invalid(text) = verdict {
        println!("{text}");
    }
    let results = dir.join("results.txt");
    let mut all = fs::read_to_string(&results).unwrap_or_default();
    all += line.trim_end();
    all += "\n";
    let _ = fs::write(results, all);
}

fn show(mutants: &[Mutant], options: &Options, root: &Path) -> bool {
    let mut sound = true;
    for mutant in mutants {
        let text = fs::read_to_string(root.join(&mutant.path)).unwrap_or_default();
        if let Err(why) = mutant.place(&text) {
            println!("{why}");
            sound = false;
        } else if options.list {
            let blind = if mutant.blind { " (from the sources alone)" } else { "" };
            println!("{}: {}, {}{blind}", mutant.id, mutant.area, mutant.path);
        }
        if options.diff {
            println!("{}", mutant.diff(&text).unwrap_or_default());
        }
    }
    let blind = mutants.iter().filter(|mutant| mutant.blind).count();
    println!("{} mutants, {blind} of them written from the sources alone", mutants.len());
    sound
}
