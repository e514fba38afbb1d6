//! Tables: types, missing values, categories, and errors that name the cell.

use crate::common::{gzip, real};
use wengert_data::{CellProblem, Csv, DataError, Dataset, Missing, Table};
use wengert_tensor::Tensor;

fn parse(text: &str) -> Result<Table, DataError> {
    Csv::new().parse(text.as_bytes(), "t.csv")
}

#[test]
fn headers_quotes_delimiters_and_line_ends() {
    let expected = [("name, \"full\"", 1.5, 2.0), ("two\nlines", -3e2, 4.0)];
    for (options, text) in [
        (Csv::new(), "who,x,y\n\"name, \"\"full\"\"\",1.5,2\n\"two\nlines\",-3e2, 4\n"),
        (
            Csv::new().delimiter(b';'),
            "who;x;y\r\n\"name, \"\"full\"\"\"; 1.5;2\r\n\"two\nlines\";-3e2;4",
        ),
        (
            Csv::new().delimiter(b'\t'),
            "\u{feff}who\tx\ty\n\"name, \"\"full\"\"\"\t1.5\t2\n\n\"two\nlines\"\t-3e2\t4\n",
        ),
        (Csv::new().headers(false), "\"name, \"\"full\"\"\",1.5,2\n\"two\nlines\",-3e2,4\n"),
    ] {
        let names = if text.contains("who") { ["who", "x", "y"] } else { ["0", "1", "2"] };
        for bytes in [text.as_bytes().to_vec(), gzip(text.as_bytes())] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("t.csv");
            std::fs::write(&path, bytes).unwrap();
            let table = options.read(&path).unwrap();
            assert_eq!(table.names(), names);
            assert_eq!(table.len(), 2);
            for (row, (who, x, y)) in expected.into_iter().enumerate() {
                let column = table.column(0).unwrap();
                assert_eq!(column.categories()[column.classes().at(&[row]) as usize], who);
                assert_eq!(table.column(1).unwrap().numbers().unwrap()[row], x);
                assert_eq!(table.column(names[2]).unwrap().numbers().unwrap()[row], y);
            }
        }
    }
}

#[test]
fn classes_numbers_and_one_hot_inputs() {
    let table = parse("size,n,class\nsmall,1,b\nlarge,2,a\nsmall,3,b\n").unwrap();
    assert_eq!(table.input_names(), ["size=large", "size=small", "n", "class=a", "class=b"]);
    let set = table.classification("class").unwrap();
    let (x, y) = set.batch(&[0, 1]);
    assert_eq!(
        (x, y),
        (Tensor::from([[0.0f32, 1.0, 1.0], [1.0, 0.0, 2.0]]), Tensor::from([1i64, 0]))
    );
    let set = table.clone().without("size").unwrap().regression(0).unwrap();
    assert_eq!(set.targets(), &Tensor::from([[1.0f32], [2.0], [3.0]]));
    // Classes that are numbers keep their values.
    let set = table.classification("n").unwrap();
    assert_eq!(set.targets().to_vec(), [1, 2, 3]);
    let error = table.regression("class").unwrap_err().to_string();
    assert!(
        error.starts_with("t.csv: line 2, column 3 (\"class\"): expected a number, found \"b\""),
        "{error}"
    );
    let error = parse("x,y\n1,2\n2,2.5\n").unwrap().classification("y").unwrap_err().to_string();
    assert!(
        error.starts_with("t.csv: line 3, column 2 (\"y\"): expected a whole number from 0"),
        "{error}"
    );
    let error = table.column("colour").unwrap_err().to_string();
    assert_eq!(error, "t.csv: no column \"colour\"; the columns are size, n, class");
    let error = table.column(7).unwrap_err().to_string();
    assert_eq!(error, "t.csv: no column with index 7; the columns are size, n, class");
}

#[test]
fn missing_values() {
    let text = "x,c\n1,a\n,b\nNA,\n7,a\n";
    let error = parse(text).unwrap_err();
    assert!(
        matches!(&error, DataError::Cell { line: 3, column: 1, header: Some(header), problem: CellProblem::Missing, .. } if header == "x"),
        "{error}"
    );
    let with = |missing| Csv::new().missing(missing).parse(text.as_bytes(), "t").unwrap();
    let dropped = with(Missing::DropLine);
    assert_eq!(dropped.column("x").unwrap().numbers().unwrap(), [1.0, 7.0]);
    let filled = with(Missing::Fill(-1.0));
    assert_eq!(filled.column("x").unwrap().numbers().unwrap(), [1.0, -1.0, -1.0, 7.0]);
    assert_eq!(filled.column("c").unwrap().categories(), ["", "a", "b"]);
    assert_eq!(filled.column("c").unwrap().classes().to_vec(), [1, 2, 0, 1]);
    let filled = with(Missing::FillMean);
    assert_eq!(filled.column("x").unwrap().numbers().unwrap(), [1.0, 4.0, 4.0, 7.0]);
    // Other words for a missing value, and a column that begins with missing ones.
    let options = Csv::new().missing(Missing::Fill(0.5)).missing_words(["-"]);
    let table = options.parse(b"x,c\n-,-\n2,NA\n", "t").unwrap();
    assert_eq!(table.column("x").unwrap().numbers().unwrap(), [0.5, 2.0]);
    assert_eq!(table.column("c").unwrap().categories(), ["", "NA"]);
}

/// The test examples do not change what the training examples decided.
#[test]
fn test_tables_are_read_like_the_training_table() {
    let options = Csv::new().missing(Missing::FillMean);
    let train = options.parse(b"id,x,c,y\n9,1,b,0\n8,3,a,1\n", "train").unwrap();
    let test = options.clone().like(&train).parse(b"c,x\nb,\nb,100\n", "test").unwrap();
    assert_eq!(test.column("x").unwrap().numbers().unwrap(), [2.0, 100.0]);
    assert_eq!(test.column("c").unwrap().categories(), ["a", "b"]);
    assert_eq!(test.column("c").unwrap().classes().to_vec(), [1, 1]);
    let error = options.like(&train).parse(b"c,x\nz,1\n", "test").unwrap_err().to_string();
    assert_eq!(
        error,
        "test: line 2, column 1 (\"c\"): \"z\" is not one of the 2 categories of the column in the table \
         that Csv::like names"
    );
}

/// A model gets its inputs in the order of the training table, whatever their order in the file.
#[test]
fn columns_keep_the_order_of_the_training_table() {
    let train = parse("x,c,y\n1,b,0\n3,a,1\n").unwrap();
    let like = Csv::new().like(&train);
    let test = like.parse(b"y,id,c,x\n1,77,a,5\n", "test").unwrap();
    assert_eq!(test.names(), ["x", "c", "y", "id"]);
    assert_eq!(test.inputs().to_vec(), [5.0, 1.0, 0.0, 1.0, 77.0]);
    let set = test.without("id").unwrap().regression("y").unwrap();
    assert_eq!(set.inputs().to_vec(), [5.0, 1.0, 0.0]);
    // Without the targets.
    let test = like.parse(b"c,x\na,5\n", "test").unwrap();
    assert_eq!(test.inputs().to_vec(), [5.0, 1.0, 0.0]);
    // An error names the column of the file.
    let table = like.parse(b"y,c,x\n1,a,5\n", "test").unwrap().without("y").unwrap();
    let error = table.regression("c").unwrap_err().to_string();
    assert!(error.starts_with("test: line 2, column 2 (\"c\"): expected a number"), "{error}");
    // Two columns of one name have the types of the first and of the second.
    let train = parse("c,c\nb,2\na,3\n").unwrap();
    let test = Csv::new().like(&train).parse(b"c,c\na,4\n", "test").unwrap();
    assert_eq!(test.inputs().to_vec(), [1.0, 0.0, 4.0]);
}

/// The rest of the table would be one cell.
#[test]
fn an_open_quote() {
    for (text, line) in [
        ("a,b\n1,\"x\n2,y\n3,z\n", 2),
        ("a,b\n1,x\n\n2,\"y\n", 4),
        ("a,b\n1,\"x\"\"", 2),
        ("\"a,b\n1,2\n", 1),
        ("a;b\r\n1;\"x\r\n", 2),
    ] {
        let delimiter = if text.contains(';') { b';' } else { b',' };
        let error = Csv::new().delimiter(delimiter).parse(text.as_bytes(), "t").unwrap_err();
        assert!(
            matches!(error, DataError::OpenQuote { line: found, .. } if found == line),
            "{text:?}: {error}"
        );
    }
    for text in
        ["a,b\n1,\"x\"", "a,b\n1,\"x\"\"\"", "a,b\n1,x\"\n", "a,b\n1,\"y,\"\n", "a\n\"x\"y\"\n"]
    {
        assert_eq!(parse(text).unwrap().len(), 1, "{text:?}");
    }
}

#[test]
fn files_of_other_kinds() {
    let error = |bytes: &[u8]| Csv::new().parse(bytes, "t").unwrap_err().to_string();
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    assert_eq!(
        error(&utf16("\u{feff}a,b\n1,2\n")),
        "t: expected a table (text in UTF-8), found a text in UTF-16; save it as UTF-8"
    );
    assert_eq!(
        error(&utf16("a,b\n1,2\n")),
        "t: line 1: the text is not UTF-8; save the file as UTF-8"
    );
    let page = error(b"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n");
    assert!(page.contains("found a web page (HTML); fetch the file again"), "{page}");
    let packed = error(&gzip(b"a,b\n1,2\n"));
    assert!(packed.ends_with("found a file compressed with gzip; unpack it first"), "{packed}");
    let sheet =
        error(b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0\xff\xfe\xfd\xfc\x01\0\0\0\x01\0\0\0\0\0\0\0");
    assert!(sheet.contains("found a zip archive; unpack it first"), "{sheet}");
    assert!(error(&[0; 100]).contains("found a file that begins with zeros"));
    // A header that begins like another kind of file.
    assert!(parse("GIF8,b\n1,2\n").is_ok() && parse("[x],{y}\n1,2\n").is_ok());
}

#[test]
fn declared_types() {
    let text = "zip,x\n01067,1\n99999,2\n";
    let table = Csv::new().category("zip").parse(text.as_bytes(), "t").unwrap();
    assert_eq!(table.column("zip").unwrap().categories(), ["01067", "99999"]);
    let error = Csv::new().number("x").parse(b"x\nfive\n", "t").unwrap_err().to_string();
    assert!(
        error.starts_with("t: line 2, column 1 (\"x\"): expected a number, found \"five\""),
        "{error}"
    );
    let error = Csv::new().number("z").parse(b"x\n5\n", "t").unwrap_err();
    assert!(matches!(error, DataError::NoColumn { .. }), "{error}");
}

/// One column of 0 and 1 for each of 20,000 names would be 400 million numbers.
#[test]
fn names_are_not_coded() {
    let lines: Vec<String> = (0..20_000).map(|i| format!("n{i},1\n")).collect();
    let text = format!("name,x\n{}", lines.concat());
    let table = parse(&text).unwrap();
    let error = table.regression("x").unwrap_err().to_string();
    assert!(error.contains("column 1 (\"name\"): the column has 20000 categories"), "{error}");
    assert!(table.classification("x").is_err());
    assert!(table.without("name").unwrap().regression("x").is_ok());
}

#[test]
fn errors_name_line_and_column() {
    let error = parse("a,b\n1,2\n\n\"x\ny\",3\n").unwrap_err();
    assert!(matches!(error, DataError::Cell { line: 4, column: 1, .. }), "{error}");
    let error = parse("a,b\n1,2\n3\n").unwrap_err().to_string();
    assert_eq!(
        error,
        "t.csv: line 3: expected 2 cells, found 1; check the delimiter and the quotes"
    );
    let error = parse("a,b\n1,2\n3,inf\n").unwrap_err().to_string();
    assert_eq!(error, "t.csv: line 3, column 2 (\"b\"): expected a finite number, found \"inf\"");
    let error = Csv::new().headers(false).parse(b"1\nx\n", "t").unwrap_err().to_string();
    assert!(error.starts_with("t: line 2, column 1: expected a number, found \"x\""), "{error}");
    let error = Csv::new().parse(b"a\n1\n\xff\n", "t").unwrap_err();
    assert!(matches!(error, DataError::NotUtf8 { line: 3, .. }), "{error}");
    for text in ["", "a,b\n", "\n\n"] {
        assert!(matches!(parse(text).unwrap_err(), DataError::Empty { .. }), "{text:?}");
    }
    assert!(matches!(Csv::new().read("no/such/file").unwrap_err(), DataError::Io { .. }));
}

/// The table of irises is the embedded one.
#[test]
fn the_real_irises() {
    let Some(folder) = real("sklearn") else { return };
    let text = std::fs::read_to_string(folder.join("iris.csv")).unwrap();
    let (_, body) = text.split_once('\n').unwrap();
    let table = Csv::new().headers(false).parse(body.as_bytes(), "iris.csv").unwrap();
    let set = table.classification(4).unwrap();
    let iris = wengert_data::Iris::load();
    assert_eq!((set.inputs(), set.targets()), (&iris.features, &iris.labels));
}
